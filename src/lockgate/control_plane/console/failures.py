"""What a sign-in fails with."""


class SignInFailed(Exception):
    """The text is for the operator's log; the browser is told only that it failed. Never holds a
    token, a code or a secret."""
