"""The list of fobs that a reader keeps for when the server is away, and the sessions that it had by itself."""

import esphome.codegen as cg
import esphome.config_validation as cv
from esphome.const import CONF_ID

DEPENDENCIES = ["json"]
AUTO_LOAD = ["preferences"]

OfflineList = cg.esphome_ns.namespace("offline_list").class_("OfflineList", cg.Component)

CONFIG_SCHEMA = cv.Schema({cv.GenerateID(): cv.declare_id(OfflineList)}).extend(cv.COMPONENT_SCHEMA)


async def to_code(config):
    """Write the C++ that sets it up."""
    var = cg.new_Pvariable(config[CONF_ID])
    await cg.register_component(var, config)
