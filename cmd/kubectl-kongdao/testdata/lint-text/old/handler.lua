local Base = require "kong.plugins.base_plugin"
local H = Base:extend()
H.PRIORITY = 1
H.VERSION = "1.0.0"
return H
