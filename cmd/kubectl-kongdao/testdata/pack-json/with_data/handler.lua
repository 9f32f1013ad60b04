return { PRIORITY = 1, VERSION = "0.3.0", access = require("kong.plugins.with_data.lib.access").run }
