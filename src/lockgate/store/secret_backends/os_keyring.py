"""Secrets in the operating system's keyring: ``keyring:<service>/<user>``. For workstations: a
server seldom has one that opens by itself."""

from lockgate.model.reference import Reference, ReferenceBroken
from lockgate.model.secret import Secret, SecretUnavailable
from lockgate.store.secret_backends.extras import Load
from lockgate.store.secret_backends.local import present


class KeyringSecrets:
    """Keyrings keep neither versions nor times."""

    def __init__(self, load: Load) -> None:
        self._load = load

    def read(self, reference: Reference) -> Secret:
        value = self._ask(reference, "get_password")
        if value is None:
            raise ReferenceBroken(f"{reference.bare} is not in the keyring; put it there")
        return Secret(present(reference, value))

    def write(self, reference: Reference, value: str) -> None:
        self.read(reference)
        self._ask(reference, "set_password", value)

    def _ask(self, reference: Reference, verb: str, *given: str) -> str | None:
        keyring, errors = self._load("keyring"), self._load("keyring.errors")
        service, _, user = reference.name.rpartition("/")
        try:
            answer: str | None = getattr(keyring, verb)(service, user, *given)
        except errors.NoKeyringError:
            raise SecretUnavailable(
                f"{reference.bare} cannot be read: this machine has no keyring that can be used"
            ) from None
        except (errors.KeyringError, OSError) as error:
            # Its text is the keyring's own, and may say anything.
            raise SecretUnavailable(
                f"{reference.bare}: the keyring fails ({type(error).__name__})"
            ) from None
        return answer
