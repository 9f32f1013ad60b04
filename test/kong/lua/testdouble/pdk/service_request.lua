-- kong.service.request: the request to the upstream service.

local context = require "testdouble.server.context"

local service_request = {}

local function upstream()
  return assert(context.request(), "kong.service.request needs a request").upstream
end

function service_request.set_header(name, value) upstream().headers:set(name, value) end
function service_request.add_header(name, value) upstream().headers:add(name, value) end
function service_request.clear_header(name) upstream().headers:remove(name) end
function service_request.set_path(path) upstream().path = path end
function service_request.set_raw_query(query) upstream().query = query end
function service_request.set_method(method) upstream().method = method end
function service_request.set_headers(headers)
  for name, value in pairs(headers) do
    upstream().headers:set(name, value)
  end
end

return service_request
