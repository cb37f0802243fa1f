"""Users from the Neon CRM, by its API v2: a search of accounts, page by page."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final

import httpx

from mac_actors.errors import ConfigError, MacError
from mac_actors.imports.users.cells import clean, listed, truth
from mac_actors.imports.users.fobs import SEPARATORS, fobs_of
from mac_actors.imports.users.neon_config import Name, NeonAccess, NeonConfig, Search
from mac_actors.imports.users.source import Problem, UserRecord

API_VERSION = "2.11"
"""Neon answers older ones with 410 since the end of November 2025."""

OVERRIDE_FIELD = "OOPS_OVERRIDE"
"""The custom field that says who may override where the configuration names none: the old server's."""

PAGE_SIZE = 200
"""Accounts in one answer: as many as Neon gives."""

PAUSE_SECONDS = 1.0
"""Between two searches: Neon allows one a second."""

TRIES = 6
LONGEST_WAIT_SECONDS = 60.0
TIMEOUT_SECONDS = 30.0

TROUBLES: Final = frozenset({429, 500, 502, 503, 504})
"""Statuses after which the same request may be answered the next time."""


def _silent(_text: str) -> None:
    pass


@dataclass(slots=True)
class Neon:
    """The accounts of an organization. ``report`` is called with how far it has come; ``sleep`` waits."""

    config: NeonConfig
    access: NeonAccess
    report: Callable[[str], None] = _silent
    sleep: Callable[[float], None] = time.sleep
    today: date = field(default_factory=date.today)
    name: str = "Neon"
    overrides: bool = False

    def records(self) -> Iterator[UserRecord]:
        """Yield a record for each account. Raises :class:`MacError` when Neon does not give them all."""
        with httpx.Client(
            auth=(self.access.organization, self.access.key),
            headers={"NEON-API-VERSION": API_VERSION, "Accept": "application/json"},
            timeout=TIMEOUT_SECONDS,
            trust_env=False,
        ) as http:
            fields = _Wanted.of(self.config, self._custom_fields(http))
            accounts = self._accounts(http, fields)
        self.overrides = "oops_override" in fields.single
        fields.require_known(accounts)
        yield from (self._record(account, fields) for account in accounts)

    # what Neon has

    def _custom_fields(self, http: httpx.Client) -> dict[int, Mapping[str, Any]]:
        answer = self._ask(http, "GET", "/customFields", params={"category": "Account"})
        try:
            return {int(custom["id"]): custom for custom in answer if isinstance(custom["name"], str)}
        except (TypeError, KeyError, ValueError):
            raise self._foreign("its custom fields") from None

    def _accounts(self, http: httpx.Client, fields: _Wanted) -> list[Mapping[str, Any]]:
        first_day = self.today - timedelta(days=self.config.expired_days)
        member = Search(
            field=str(self.config.fields.expiration_ymd), operator="GREATER_AND_EQUAL", value=first_day.isoformat()
        )
        search = {
            "searchFields": [condition.model_dump(exclude_none=True) for condition in (*self.config.search, member)],
            "outputFields": fields.output,
        }
        accounts: dict[str, Mapping[str, Any]] = {}
        page, pages, total = 0, 1, 0
        while page < pages:
            if page:
                self.sleep(PAUSE_SECONDS)
            pagination = {"currentPage": page, "pageSize": PAGE_SIZE}
            answer = self._ask(http, "POST", "/accounts/search", json={**search, "pagination": pagination})
            try:
                found, numbers = answer["searchResults"], answer["pagination"]
                pages, total = int(numbers["totalPages"]), int(numbers["totalResults"])
                for account in found:
                    self._keep(accounts, account)
            except (TypeError, KeyError, ValueError, AttributeError):
                raise self._foreign("a page of accounts") from None
            page += 1
            self.report(f"Neon: {len(accounts)} of {total} accounts")
        if len(accounts) != total:
            raise MacError(
                f"nothing was changed: Neon has {total} accounts and gave {len(accounts)} of them. "
                "Was one changed meanwhile? Try again."
            )
        return list(accounts.values())

    def _keep(self, accounts: dict[str, Mapping[str, Any]], account: Mapping[str, Any]) -> None:
        """Keep an account by its id; one that has slipped to the next page meanwhile comes twice, and is the same."""
        number = str(account[self.config.fields.account_id])
        if accounts.setdefault(number, account) != account:
            raise MacError(f"nothing was changed: Neon gives account {number} twice, and differently. Try again.")

    # asking

    def _ask(self, http: httpx.Client, method: str, path: str, **arguments: Any) -> Any:
        """Ask until there is an answer, with longer and longer waits while Neon is busy or away."""
        trouble = ""
        for attempt in range(TRIES):
            if attempt:
                self.report(f"Neon: {trouble}; waiting")
            wait = min(2.0**attempt, LONGEST_WAIT_SECONDS)
            try:
                response = http.request(method, self.access.url + path, **arguments)
                if response.status_code not in TROUBLES:
                    return self._answer(response)
                trouble = f"it answers {response.status_code} {response.reason_phrase}"
                wait = _retry_after(response) or wait
            except httpx.TransportError as error:
                trouble = f"no answer ({error or type(error).__name__})"
            if attempt + 1 < TRIES:
                self.sleep(wait)
        raise MacError(f"nothing was changed: Neon at {self.access.url}: {trouble}, {TRIES} times. Try again later.")

    def _answer(self, response: httpx.Response) -> Any:
        if response.status_code in {401, 403}:
            raise MacError("nothing was changed: Neon does not take NEON_ORG_ID and NEON_API_KEY. Are they right?")
        try:
            answer = response.json()
        except ValueError:
            raise self._foreign(f"status {response.status_code}") from None
        if not response.is_success:
            raise MacError(f"nothing was changed: Neon refuses ({response.status_code}): {_messages(answer)}")
        return answer

    def _foreign(self, what: str) -> MacError:
        return MacError(f"nothing was changed: {self.access.url} does not answer as Neon does ({what}). NEON_API_URL?")

    # one account

    def _record(self, account: Mapping[str, Any], wanted: _Wanted) -> UserRecord:
        separator = self.config.authorizations.separator
        texts = {key: str(value) for key, value in account.items() if value is not None}
        single = ((name, clean(texts.get(key, ""))) for name, key in wanted.single.items())
        fields: dict[str, Any] = {name: text for name, text in single if text}
        cells = ((f"field {key}", texts.get(key, "")) for key in wanted.fobs)
        fobs, problems = fobs_of(cells, SEPARATORS + separator)
        fields["fob_codes"] = list(fobs)
        trained = [key for key in wanted.trainings if wanted.done in texts.get(key, "").split(separator)]
        several = listed((texts.get(key, "") for key in wanted.lists), separator)
        fields["authorizations"] = list(dict.fromkeys([*trained, *several]))
        places = {name: f"field {key}" for name, key in wanted.single.items()}
        places |= {f"fob_codes[{position}]": place for position, place in enumerate(fobs.values())}
        if answer := fields.get("oops_override"):
            fields["oops_override"] = truth(answer, filter(None, [wanted.done]))
            if fields["oops_override"] is None:
                text = f"expected yes or no, not {answer!r}"
                problems.append(Problem("oops_override", places["oops_override"], text))
        return UserRecord(f"account {account[self.config.fields.account_id]}", fields, places, problems)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The fields that are asked for: ``output`` as Neon wants them, the others by the names it answers with."""

    output: list[Name]
    single: Mapping[str, str]
    fobs: list[str]
    trainings: list[str]
    lists: list[str]
    done: str

    @classmethod
    def of(cls, config: NeonConfig, customs: Mapping[int, Mapping[str, Any]]) -> _Wanted:
        numbers = {custom["name"]: number for number, custom in customs.items()}
        output: list[Name] = []

        def want(name: Name) -> str:
            """Ask for a field; returns the name that it has in the answer."""
            if isinstance(name, int) and name not in customs:
                raise ConfigError([f"Neon has no custom field with the number {name} for accounts"])
            number = name if isinstance(name, int) else numbers.get(name)
            asked = name if number is None else number
            if asked not in output:
                output.append(asked)
            return str(name) if number is None else str(customs[number]["name"])

        given = config.fields.model_dump(exclude={"fob_codes"}, exclude_none=True)
        if OVERRIDE_FIELD in numbers:
            given.setdefault("oops_override", OVERRIDE_FIELD)
        single = {key: want(name) for key, name in given.items()}
        done = config.authorizations.done
        override = single.get("oops_override")
        trainings = [c["name"] for c in customs.values() if done in _options(c) and c["name"] != override]
        if done is not None and not trainings:
            raise ConfigError([f"Neon has no custom field for accounts with the option {done!r} (authorizations.done)"])
        return cls(
            output=output,
            single=single,
            fobs=[want(name) for name in config.fields.fob_codes],
            trainings=[want(name) for name in trainings],
            lists=[want(name) for name in config.authorizations.fields],
            done=done or "",
        )

    def require_known(self, accounts: list[Mapping[str, Any]]) -> None:
        """Raise :class:`ConfigError` for a field that no answer has: it is called otherwise."""
        if accounts:
            asked = [*self.single.values(), *self.fobs, *self.trainings, *self.lists]
            lacking = [name for name in asked if not any(name in account for account in accounts)]
            if lacking:
                raise ConfigError([f"Neon's answers have no field {name!r}: what is it called?" for name in lacking])


def _options(custom: Mapping[str, Any]) -> list[str]:
    options = custom.get("optionValues")
    return [option.get("name", "") for option in options or [] if isinstance(option, dict)]


def _retry_after(response: httpx.Response) -> float | None:
    text = response.headers.get("Retry-After", "")
    return min(float(text), LONGEST_WAIT_SECONDS) if re.fullmatch(r"\d{1,6}", text) else None


def _messages(answer: Any) -> str:
    """Return what Neon says is wrong; it answers with a list of codes and messages."""
    errors = answer if isinstance(answer, list) else [answer]
    messages = [str(error["message"]) for error in errors if isinstance(error, dict) and error.get("message")]
    return "; ".join(messages)[:300] or "it does not say why"
