package config_test

import (
	"fmt"

	"github.com/belleville/belleville/config"
)

func ExampleParse() {
	text := `
[django]
secret_key = "a secret"
database_url = "sqlite:///db.sqlite3"
allowed_hosts = ["example.com"]
session_cookie_nam = "sid"

[[routes]]
path = "ws/chat/<slug:room>/"
consumer = "relay"
groups = ["chat_{rom}"]
`
	_, err := config.Parse([]byte(text), []string{"BELLEVILLE_LIMITS_MAX_MESSAGE=65536"})
	fmt.Println(err)
	// Output:
	// django.session_cookie_nam: there is no such key; did you mean django.session_cookie_name?
	// routes[0].groups[0]: "rom" is no value of this route; the path captures room
}
