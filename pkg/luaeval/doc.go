// Package luaeval finds the constants that a Lua file returns, such as a handler's VERSION or the list of migrations.
// It never runs the file, because the code in a ConfigMap is untrusted.
//
// It follows the statements of a file that always run, from top to bottom: local variables, tables, fields, strings,
// arithmetic, and require of other modules. It follows no calls, no loops and no conditions. What these may change is
// unknown from then on. So a value that is not unknown is the value that Kong sees.
package luaeval
