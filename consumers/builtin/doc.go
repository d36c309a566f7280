// Package builtin has the consumers that need no Go: a configuration names them and says how they work.
//
// Start with [Relay], the chat of the Channels tutorial without code; [Echo] and [WhoAmI] show that a
// connection, and a login, work. [Bridge] leaves the logic to workers in Python. [AllowSQL] lets the site's database decide who may connect.
//
// Names in braces stand for values of the connection, in groups as in "chat_{room}" and in queries:
//
//	{room}            the path's value of that name; {0} is the first unnamed one
//	{user.pk}         the primary key, a number or text
//	{user.username}   and {user.first_name}, {user.last_name}, {user.email}
//	{user.is_staff}   and is_active, is_superuser, is_authenticated: not in groups
//	{user.column}     any further column of the user model that is configured
//
// Nothing is ever pasted into SQL, and nothing a client says can set what the server sets.
package builtin
