package main

// signingCommands sign and verify.
type signingCommands struct {
	Loads signingLoads `cmd:"" help:"Verify a signed value from standard input, and print it as JSON."`
	Dumps signingDumps `cmd:"" help:"Sign a JSON value from standard input."`
}

// Help is shown by --help.
func (*signingCommands) Help() string {
	return `Example:

  echo '{"user": 7}' | belleville signing dumps --salt invitations | belleville signing loads --salt invitations`
}
