import socket
import ssl
import threading
from pathlib import Path

import pytest

from lockgate.approval.channels import Email, NotTaken
from lockgate.approval.mail import hand_over
from lockgate.approval.messages import Message, email_of
from support.certificates import Authority
from support.channels import email
from support.inquiries import inquiry
from support.mail_server import PASSWORD, running_mail_server

TOLD = Message("m1", "asked", 1_000, (inquiry(),))


def send(channel: Email) -> None:
    hand_over(email_of(TOLD, channel), channel)


def server_tls(folder: Path, host: str) -> tuple[ssl.SSLContext, str]:
    """For the server, and the file of who is to be believed."""
    authority = Authority()
    certificate, key = authority.issue(dns=(host,)).write(folder, "mail")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context, str(authority.write(folder / "ca.pem"))


def test_a_mail_arrives_as_it_was_written() -> None:
    with running_mail_server() as server:
        send(email(server.port, to=("dora@clinic.example", "erin@clinic.example")))
        (given,), (mail,) = server.given, server.mails
    assert given.mail_from == "lockgate@clinic.example"
    assert given.rcpt_tos == ["dora@clinic.example", "erin@clinic.example"]
    assert mail["Subject"] == "Lockgate: clinic/delete_patient waits for a yes"


def test_over_starttls_and_signed_in(tmp_path: Path) -> None:
    tls, authority = server_tls(tmp_path, "localhost")
    with running_mail_server(tls, signed_in=True) as server:
        send(email(server.port, host="localhost", tls="starttls", ca_file=authority,
                   user="lockgate", password=PASSWORD))  # fmt: skip
        assert (len(server.given), server.users) == (1, [b"lockgate"])


def test_over_tls_from_the_first_byte(tmp_path: Path) -> None:
    tls, authority = server_tls(tmp_path, "localhost")
    with running_mail_server(tls, at_once=True) as server:
        send(email(server.port, host="localhost", tls="tls", ca_file=authority))
    assert len(server.given) == 1


def test_a_wrong_password_is_told_without_it(tmp_path: Path) -> None:
    tls, authority = server_tls(tmp_path, "localhost")
    channel = {"host": "localhost", "tls": "starttls", "ca_file": authority, "user": "lockgate"}
    with running_mail_server(tls, signed_in=True) as server, pytest.raises(NotTaken) as caught:
        send(email(server.port, **channel, password="another-secret"))
    assert str(caught.value) == "the mail server answered 535"
    assert caught.value.final


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_certificate_of_nobody_known_or_of_another_name_is_not_believed(
    tmp_path: Path, host: str
) -> None:
    tls, authority = server_tls(tmp_path, "localhost")
    believed = "" if host == "localhost" else authority
    with running_mail_server(tls) as server, pytest.raises(NotTaken, match="SSL"):
        send(email(server.port, host=host, tls="starttls", ca_file=believed))
    assert server.given == []


def test_a_server_without_tls_gets_nothing() -> None:
    with running_mail_server() as server, pytest.raises(NotTaken, match="NotSupported"):
        send(email(server.port, tls="starttls"))
    assert server.given == []


def test_where_nobody_listens() -> None:
    with running_mail_server() as server:
        pass
    with pytest.raises(NotTaken, match="ConnectionRefusedError") as caught:
        send(email(server.port))
    assert not caught.value.final


@pytest.mark.parametrize(("answer", "final"), [("451 later", False), ("554 never", True)])
def test_what_is_refused_for_good_and_what_for_now(answer: str, final: bool) -> None:
    with running_mail_server() as server:
        server.answer = answer
        with pytest.raises(NotTaken, match=answer[:3]) as caught:
            send(email(server.port))
    assert caught.value.final is final


def test_refused_recipients_are_counted_and_not_named() -> None:
    both = ("dora@clinic.example", "gone@clinic.example")
    with running_mail_server() as server:
        server.refused = {"gone@clinic.example"}
        with pytest.raises(NotTaken, match="1 of 2") as some:
            send(email(server.port, to=both))
        assert len(server.given) == 1
        server.refused |= set(both)
        with pytest.raises(NotTaken, match=r"all recipients \(550\)") as all_of_them:
            send(email(server.port, to=both))
    assert "clinic" not in f"{some.value} {all_of_them.value}"
    assert some.value.final
    assert all_of_them.value.final


def test_a_server_that_answers_a_byte_at_a_time_is_left() -> None:
    """Each byte begins the time for an answer anew."""
    left = threading.Event()

    def dribble(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b"220 mail\r\n")
            while not left.wait(0.01):
                try:
                    connection.sendall(b"2")
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=dribble, args=(listener,), daemon=True)
        server.start()
        channel = email(listener.getsockname()[1])
        try:
            with pytest.raises(NotTaken) as caught:
                hand_over(email_of(TOLD, channel), channel, longest=0.2)
        finally:
            left.set()
            server.join(10)
    assert not caught.value.final
