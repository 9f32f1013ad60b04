-- Form bodies and query strings, such as a=b&config.header=x&paths[]=/y.

local form = {}

function form.unescape(text, keep_plus)
  text = keep_plus and text or text:gsub("%+", " ")
  return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

-- Decodes a form to a flat table. A repeated name has a list of values.
function form.decode(text)
  local values = {}
  for pair in (text or ""):gmatch("[^&]+") do
    local name, value = pair:match("^([^=]*)=(.*)$")
    name, value = form.unescape(name or pair), value and form.unescape(value) or true
    local before = values[name]
    if before == nil then
      values[name] = value
    elseif type(before) == "table" then
      before[#before + 1] = value
    else
      values[name] = { before, value }
    end
  end
  return values
end

-- Decodes a form as the Admin API does: a dot creates a record, and [] creates a list.
function form.nest(flat)
  local nested = {}
  for name, value in pairs(flat) do
    local list = name:match("%[%d*%]$") ~= nil
    local at, parts = nested, {}
    for part in name:gsub("%[%d*%]$", ""):gmatch("[^%.]+") do
      parts[#parts + 1] = part
    end
    for i = 1, #parts - 1 do
      at[parts[i]] = type(at[parts[i]]) == "table" and at[parts[i]] or {}
      at = at[parts[i]]
    end
    local last = parts[#parts]
    if last and list then
      at[last] = type(at[last]) == "table" and at[last] or {}
      for _, each in ipairs(type(value) == "table" and value or { value }) do
        table.insert(at[last], each)
      end
    elseif last then
      at[last] = value
    end
  end
  return nested
end

return form
