package main

// passwordCommands check and make encoded passwords.
type passwordCommands struct {
	Check passwordCheck `cmd:"" help:"Check a password from standard input."`
	Hash  passwordHash  `cmd:"" help:"Encode a password from standard input."`
}

// Help is shown by --help.
func (*passwordCommands) Help() string {
	return `Example:

  belleville password hash < password.txt
  belleville password check 'pbkdf2_sha256$…' < password.txt`
}
