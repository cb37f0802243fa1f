"""Canvases: one a channel, one operation a call, locks, and what a free plan does not have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .records import Canvas, Json, SlackError, State

LONGEST = 1_048_576
"""Bytes of Markdown that a canvas may hold."""


class Canvases:
    """The methods that make and change canvases."""

    def __init__(self, state: State) -> None:
        self._state = state
        self.free_plan = False
        self.locked: set[str] = set()
        """Canvases that somebody is editing in a way that keeps others out."""

    def create(self, params: Mapping[str, Any]) -> Json:
        """canvases.create"""
        channel = params.get("channel_id")
        if self.free_plan and channel is None:
            raise SlackError("free_teams_cannot_create_non_tabbed_canvases")
        if self.free_plan and self.of_channel(str(channel)):
            raise SlackError("free_team_canvas_tab_already_exists")
        return self._new(channel, params)

    def create_in_channel(self, channel: str, params: Mapping[str, Any]) -> Json:
        """conversations.canvases.create"""
        if self.of_channel(channel):
            raise SlackError("channel_canvas_already_exists")
        return self._new(channel, params)

    def edit(self, params: Mapping[str, Any]) -> Json:
        """canvases.edit"""
        canvas = self._state.canvases.get(str(params.get("canvas_id")))
        changes = params.get("changes") or []
        if canvas is None:
            raise SlackError("canvas_not_found")
        if canvas.id in self.locked:
            raise SlackError("canvas_editing_locked")
        if len(changes) != 1:
            raise SlackError("invalid_arguments", response_metadata={"messages": ["one operation at a time"]})
        if changes[0].get("operation") == "replace" and "section_id" not in changes[0]:
            canvas = replace(canvas, markdown=_markdown(changes[0]))
        self._state.canvases[canvas.id] = canvas
        return {}

    def lookup(self, params: Mapping[str, Any]) -> Json:
        """canvases.sections.lookup"""
        canvas = self._state.canvases.get(str(params.get("canvas_id")))
        criteria = params.get("criteria") or {}
        if canvas is None:
            raise SlackError("canvas_not_found")
        if not criteria.get("contains_text"):
            raise SlackError("invalid_arguments", response_metadata={"messages": ["criteria"]})
        paragraphs = canvas.markdown.split("\n\n")
        found = [n for n, paragraph in enumerate(paragraphs) if criteria["contains_text"] in paragraph]
        return {"sections": [{"id": f"temp:C:{n}"} for n in found]}

    def of_channel(self, channel: str) -> Canvas | None:
        """The canvas that is a channel's tab."""
        return next((canvas for canvas in self._state.canvases.values() if canvas.channel == channel), None)

    def _new(self, channel: str | None, params: Mapping[str, Any]) -> Json:
        markdown = _markdown(params)
        canvas = Canvas(f"F{self._state.number():05d}", channel, params.get("title", ""), markdown)
        self._state.canvases[canvas.id] = canvas
        return {"canvas_id": canvas.id}


def _markdown(params: Mapping[str, Any]) -> str:
    markdown = str((params.get("document_content") or {}).get("markdown", ""))
    if len(markdown.encode()) > LONGEST:
        raise SlackError("canvas_too_large")
    return markdown
