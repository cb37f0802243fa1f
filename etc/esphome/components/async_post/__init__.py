"""An HTTP client that never makes the reader wait: POSTs JSON to one URL, one request at a time.

With a key it signs its requests, and takes no answer that is not signed as the answer to this request.
"""

import re
from urllib.parse import urlsplit

import esphome.codegen as cg
import esphome.config_validation as cv
from esphome import automation
from esphome.components import socket
from esphome.const import CONF_ID, CONF_KEY, CONF_TIMEOUT, CONF_URL

DEPENDENCIES = ["network"]
AUTO_LOAD = ["hmac_sha256", "socket"]

CONF_AUTHORIZATION = "authorization"
CONF_ON_ANSWER = "on_answer"

AsyncPost = cg.esphome_ns.namespace("async_post").class_("AsyncPost", cg.Component)


def _url(value):
    value = cv.string_strict(value)
    try:
        parts = urlsplit(value)
        there = parts.hostname and (parts.port or 80) and parts.scheme == "http"
    except ValueError:
        there = False
    if not there or ":" in parts.hostname or parts.username is not None:
        raise cv.Invalid("write http://HOST:PORT/PATH with a name or an IPv4 address; https can't be done here")
    return value


def _key(value):
    value = cv.string_strict(value)
    if value and not re.fullmatch("[0-9a-fA-F]{64}", value):
        raise cv.Invalid("write the 64 hexadecimal digits that 'mac-actors readers add' printed, or nothing")
    return value


CONFIG_SCHEMA = cv.All(
    cv.Schema(
        {
            cv.GenerateID(): cv.declare_id(AsyncPost),
            cv.Required(CONF_URL): _url,
            cv.Optional(CONF_AUTHORIZATION, default=""): cv.string_strict,
            cv.Optional(CONF_KEY, default=""): _key,
            cv.Optional(CONF_TIMEOUT, default="3s"): cv.positive_time_period_milliseconds,
            cv.Required(CONF_ON_ANSWER): automation.validate_automation(single=True),
        }
    ).extend(cv.COMPONENT_SCHEMA),
    # The one in use, and one that the network stack has not finished with yet.
    socket.consume_sockets(2, "async_post"),
)


async def to_code(config):
    """Write the C++ that sets the client up."""
    var = cg.new_Pvariable(config[CONF_ID])
    await cg.register_component(var, config)
    cg.add(var.set_url(config[CONF_URL]))
    cg.add(var.set_authorization(config[CONF_AUTHORIZATION]))
    cg.add(var.set_key(config[CONF_KEY]))
    cg.add(var.set_timeout(config[CONF_TIMEOUT]))
    await automation.build_automation(
        var.get_answer_trigger(), [(cg.int_, "status"), (cg.std_string, "body")], config[CONF_ON_ANSWER]
    )
