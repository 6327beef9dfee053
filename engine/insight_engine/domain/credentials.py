"""What opens a data source. Pure; nothing here may print, log or compare a secret in the clear."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, eq=False)
class SourceCredential:
    """How to reach one server and as whom; `uri` wins over the single fields.

    No field shows in `repr`, so a log line or an error that holds one tells nothing.

    Attributes:
        uri: connection URI, with its password.
        host: server name or address, when no `uri` is given.
        port: TCP port.
        dbname: database to open.
        username: login role.
        password: its password.
        sslmode: `disable`, `require`, `verify-ca` or `verify-full`; None is the driver's own default.
        ca_pem: certificates, as PEM text, of the authorities that may sign the server's own.
    """

    uri: str | None = field(default=None, repr=False)
    host: str | None = field(default=None, repr=False)
    port: int | None = field(default=None, repr=False)
    dbname: str | None = field(default=None, repr=False)
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    sslmode: str | None = field(default=None, repr=False)
    ca_pem: str | None = field(default=None, repr=False)
