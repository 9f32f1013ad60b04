#!/usr/bin/env luajit
-- Every form of the syntax, with LuaJIT's extensions (fact K43).
local a, b, c = 0xffULL, 42LL, 1i
local d = { 0b101, 0x1p4, 0x.8p1, .5, 5., 1e5, 1E+5, 0xA, 3LLU, 0b1LL, 1.5i; "x", [1] = 2, y = 3, ["z"] = 4 }
local s = "\x41\z
   b\u{48}\065\n\"\'\\\
next" .. 'single' .. [[
long]] .. [==[ ]] ]=] ]==]
--[[ a comment
of lines ]] --[==[ another ]] ]==] local e = nil
do
  goto continue
  do
    local x = 1
    goto continue
  end
  ::continue::
end
for i = 1, 10, 2 do
  for k, v in pairs(d) do
    if k == i and not (v ~= 1) or k <= 2 and k >= 1 then break elseif k < 3 then goto next else print(#d, -k ^ 2 ^ 3) end
    ::next::
  end
end
while true do
  local n = 0
  repeat local m = n; n = n + 1 until m > 3
  break
end
local function f(x, ...)
  local y, z = ..., select("#", ...)
  return function(...) return x, y, z, (...) end
end
function d.e() return end
function d.e.f:g(x) self.x = x; return self:g(x).h[1]("s"){ 1 }:i"t" end
local goto_, _G1, é = 1, 2, 3
f "x"; f { x = 1 }; (f)(1, 2); (f or print)(nil, true, false)
a.b, c[1], d = 1, 2
return f(a, b), s;
