"""Where the endpoints are, and what tokens are for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from carekeep.web.oauth.protocol import Refused, invalid_request
from carekeep.web.services import Services


@dataclass(frozen=True, slots=True)
class Urls:
    """The addresses of one installation. ``issuer`` is the sign-in host, ``fhir`` what access tokens are good for."""

    issuer: str
    base: str
    fhir: str

    @classmethod
    def of(cls, services: Services) -> Self:
        """Those of the settings."""
        return cls(services.auth_url, services.fhir_url.removesuffix("/fhir"), services.fhir_url)

    @property
    def token(self) -> str:
        """The token endpoint."""
        return self.endpoint("token")

    @property
    def authorize(self) -> str:
        """The page on which people decide."""
        return f"{self.issuer}/authorize"

    @property
    def manage(self) -> str:
        """The page on which people see and end what apps may."""
        return f"{self.issuer}/account"

    def endpoint(self, name: str) -> str:
        """An endpoint for programs."""
        return f"{self.base}/oauth/{name}"

    def check_audience(self, parameters: Mapping[str, str], *, is_needed: bool) -> None:
        """That tokens are asked for this server's FHIR base and nothing else. Raises Refused.

        ``aud`` is SMART's parameter: an app that was pointed to another server's data would send its token there.
        ``resource`` is that of RFC 8707.
        """
        given = {parameters[name] for name in ("aud", "resource") if name in parameters}
        if given - {self.fhir, f"{self.fhir}/"}:
            raise Refused("invalid_target", f"Tokens of this server are good for {self.fhir} only.")
        if is_needed and not given:
            raise invalid_request(f"Send aud={self.fhir}.")
