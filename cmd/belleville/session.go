package main

// sessionCommands look into sessions.
type sessionCommands struct {
	Show   sessionShow   `cmd:"" help:"Show a stored session and its user."`
	Decode sessionDecode `cmd:"" help:"Decode session data from standard input."`
	Encode sessionEncode `cmd:"" help:"Encode session data from standard input."`
}

// Help is shown by --help.
func (*sessionCommands) Help() string {
	return `Example:

  belleville session show < cookie.txt
  psql -Atc 'SELECT session_data FROM django_session LIMIT 1' | belleville session decode`
}
