"""``/spaceapi.json``: what the space tells of itself (MAC_SPACEAPI), with its machines, for SpaceAPI's directory."""

from __future__ import annotations

import json

import bottle

from mac_actors.fleet.fleet import MachineFleet
from mac_actors.settings.space import Space
from mac_actors.web.json_line import json_line

VERSION = "15"


def routes(app: bottle.Bottle, fleet: MachineFleet, space: Space) -> None:
    """Add the route."""

    @app.get("/spaceapi.json")
    def space_api() -> bytes:
        if space.space_api is None:
            raise bottle.HTTPError(404)
        given = space.space_api
        versions = [str(version) for version in given.get("api_compatibility", ()) if str(version) != VERSION]
        machines = [
            {"name": one.display_name, "status": str(one.status), "online": one.online}
            | ({"location": one.area} if one.area else {})
            for one in fleet.snapshots()
        ]
        sensors = {**given.get("sensors", {}), "ext_machines": machines}
        response = bottle.response
        response.content_type = "application/json"
        # its directory, and everybody's web page, asks from elsewhere: the format demands it
        response.set_header("Access-Control-Allow-Origin", "*")
        response.set_header("Cache-Control", "no-cache")
        return json_line(json.dumps({**given, "api_compatibility": [*versions, VERSION], "sensors": sensors}))
