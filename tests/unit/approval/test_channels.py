from lockgate.approval.channels import NotTaken
from support.channels import SECRET, email, slack, webhook
from support.paper_server import PaperServer


def test_what_is_secret_stays_out_of_tracebacks() -> None:
    server = PaperServer()
    for channel in (webhook(server), slack(server), email(25, password="pass-word")):
        shown = f"{channel!r} {channel}"
        assert channel.name in shown
        assert not any(secret in shown for secret in (SECRET, "x-secret-x", "pass-word"))


def test_another_try_is_usual() -> None:
    failure = NotTaken("no answer")
    assert (str(failure), failure.final, failure.wait) == ("no answer", False, 0)
