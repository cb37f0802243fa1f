"""*Whose is it?*, *Authorize…* and ``/mac train``: a fob is given and somebody is authorized, by who may."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from mac_actors.core.config import User
from mac_actors.core.notices import FOB, Channel, Standing, ThreadKey
from mac_actors.core.outcomes import SessionRefused
from mac_actors.core.people.additions import Author
from mac_actors.core.people.changes import AlreadySo
from mac_actors.core.people.view import UserAnswer
from mac_actors.core.state import Source
from mac_actors.core.wording import full_text
from mac_actors.errors import ChatError, NotAllowed, UserRefused
from mac_actors.fleet.people.permissions import allow_authorization
from mac_actors.slack.changes import UNKNOWN_ASKER
from mac_actors.slack.gateway import call_quietly
from mac_actors.slack.handler import Handler
from mac_actors.slack.notices import escape, standing_blocks
from mac_actors.slack.people import SlackUser
from mac_actors.slack.training import forms
from mac_actors.slack.training.command import NO_TRAINER

LOOKED_AT = 500
"""Refusals of a machine among which that of a notice is looked for; it is one of the last."""

GONE = "Nothing is known any more of what this notice tells of: have the fob held to the reader again."


class Training(Handler):
    """Carries out what people press and choose. Remarks are seen by who did it alone."""

    def press(self, body: dict[str, Any], action: dict[str, Any]) -> None:
        """Open the form for the refusal of a notice. Who may do it is looked at when the form is sent: first of all it
        must be open, within 3 s.
        """
        key, channel = ThreadKey.parse(str(action.get("value", ""))), str(body.get("channel", {}).get("id", ""))
        if channel != self._control or key is None:
            return
        try:
            view = self._form(key).view({"key": str(key), "channel": channel, "post": str(body["message"]["ts"])})
        except Exception as error:
            self._replies.respond(body, self._changes.failure(error))
            return
        if not call_quietly(self._client.views_open, trigger_id=body.get("trigger_id"), view=view):
            self._replies.respond(body, "The form could not be opened. Press the button again.")

    def suggest(self, typed: str) -> list[dict[str, Any]]:
        """Return the members who are found by what was typed in a form, which opens for who may alone."""
        return forms.members(self._fleet.users.search(typed))

    def submit(self, body: dict[str, Any]) -> None:
        """Do what was chosen in a form, if whoever sends it may, and have the notice say so."""
        where, chosen = json.loads(body["view"]["private_metadata"]), forms.chosen(body["view"])
        slack_id = str(body["user"]["id"])
        try:
            told = self._carry_out(slack_id, where, chosen)
        except Exception as error:
            told = [self._changes.failure(error)]
        if told:
            asker = {"response_url": where.get("url"), "channel": where["channel"], "user": slack_id}
            self._replies.respond(asker, "\n".join(told))

    def _form(self, key: ThreadKey) -> forms.Form:
        refused = self._refusal(key)
        machine = self._fleet.configuration.machines.get(key.machine)
        options = {name: name for name in sorted(machine.teachable)} if machine else {}
        if key.flag == FOB:
            if owner := self._fleet.users.people.directory.find(refused.fob):
                raise UserRefused(f"This fob is {owner.full_name}'s ({owner.account_id}) by now: nothing was changed.")
            return forms.Form("Whose fob is it?", escape(full_text(refused)), "Give it", options, needed=False)
        self._user(refused.user.account_id if refused.user else None)
        if not options:
            raise UserRefused(f"{refused.display_name} asks for no authorization any more: nothing was changed.")
        return forms.Form("Authorize", escape(full_text(refused)), "Authorize", options, member=False)

    def _carry_out(self, slack_id: str, where: dict[str, str], chosen: forms.Chosen) -> list[str]:
        """Do it; returns what is to be said to who did it, beside the notice."""
        person, trainer = self._who(slack_id, where["channel"])
        key = ThreadKey.parse(where.get("key", ""))
        refused = self._refusal(key) if key else None
        of_refused = refused.user.account_id if refused and refused.user else None
        user = self._user(chosen.account_id or of_refused)
        author = Author(datetime.now(UTC), Source.SLACK, person.name, confirmed=True)
        said: list[str] = []
        with self._shown(where, key, refused) as done:
            if refused and key and key.flag == FOB:
                answer = self._fleet.users.give_fob(user, refused.fob, author=author)
                said += _remarks(answer, f"{user.full_name} has this fob")
                if answer.outcomes:
                    done.append(f"Given to {user.full_name} by {person.name}.")
            if chosen.authorization:
                allow_authorization(self._fleet.users, trainer, chosen.authorization)
                answer = self._fleet.users.authorize(user, chosen.authorization, author=author)
                is_so = f"{user.full_name} is authorized for {chosen.authorization}"
                said += _remarks(answer, is_so)
                if answer.outcomes:
                    done.append(f"Authorized for {chosen.authorization} by {person.name}.")
                    said += [escape(f"{is_so}.")] if trainer else []
        return said

    def _who(self, slack_id: str, channel: str) -> tuple[SlackUser, str | None]:
        """Return who it is, and of a trainer the account id; ``None``: an admin. Raises :class:`MacError`."""
        person = self._people.get(slack_id)
        if not person.active:
            raise ChatError(UNKNOWN_ASKER)
        if channel == self._control:
            if why := self._not_admitted(slack_id):
                raise NotAllowed(why)
            return person, None
        user = self._links.user_of(slack_id)
        if user is None:
            raise NotAllowed(NO_TRAINER)
        return person, user.account_id

    def _refusal(self, key: ThreadKey) -> SessionRefused:
        """Return the refusal that a notice tells of; raises :class:`UserRefused` where it, or its fob, is not known."""
        page = self._fleet.store.page(machine=key.machine, kind="session_refused", since=key.since, limit=LOOKED_AT)
        for entry in page.entries:
            match entry.outcome:
                case SessionRefused(at=key.since, fob=fob) as refused if fob or key.flag != FOB:
                    return refused
        raise UserRefused(GONE)

    def _user(self, account_id: str | None) -> User:
        user = self._fleet.users.people.directory.by_account.get(account_id or "")
        if user is None:
            raise UserRefused("This member is among the users no more: nothing was changed.")
        return user

    @contextmanager
    def _shown(
        self, where: dict[str, str], key: ThreadKey | None, refused: SessionRefused | None
    ) -> Iterator[list[str]]:
        """Have the notice say what is put into the list, also where not all could be done."""
        done: list[str] = []
        try:
            yield done
        finally:
            if done and key and refused:
                text, shown = escape(full_text(refused)), Standing(tuple(done), over=True)
                blocks = standing_blocks(Channel.CONTROL, text, key, shown)
                self._replies.change(where["channel"], where["post"], "\n".join((text, *map(escape, done))), blocks)


def _remarks(answer: UserAnswer, is_so: str) -> list[str]:
    """Return what is to be said beside the notice: that nothing was changed, or that the disk is slow."""
    if {AlreadySo.FOB_GIVEN, AlreadySo.AUTHORIZED} & set(answer.already):
        return [escape(f"{is_so} already: nothing was changed.")]
    if not answer.durable:
        return [escape(f"{is_so}: done, but not on disk yet (the server's disk is slow or failing).")]
    return []
