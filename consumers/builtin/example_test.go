package builtin_test

import (
	"fmt"

	"github.com/belleville/belleville/consumers/builtin"
)

func ExampleParseQuery() {
	q, err := builtin.ParseQuery("SELECT 1 FROM chat_member WHERE room = {room} AND user_id = {user.pk}", builtin.Postgres)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(q.SQL())
	fmt.Println(q.Names())

	_, err = builtin.ParseQuery("SELECT 1 FROM chat_member WHERE room = '{room}'", builtin.Postgres)
	fmt.Println(err)
	// Output:
	// SELECT 1 FROM chat_member WHERE room = $1 AND user_id = $2
	// [room user.pk]
	// builtin: {room} stands inside quotes, where it is not bound: take the quotes away
}

func ExampleCheckGroup() {
	names, err := builtin.CheckGroup("chat_{room}")
	fmt.Println(names, err)

	_, err = builtin.CheckGroup("chat {room}")
	fmt.Println(err)
	// Output:
	// [room] <nil>
	// builtin: a group's name has at most 99 letters, digits, hyphens, underscores and periods
}
