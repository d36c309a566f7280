package migrations

import (
	"embed"
	"fmt"
	"strings"
)

//go:embed sql/*.sql
var files embed.FS

// A Set is a number of database objects that are made and removed together.
type Set struct {
	// Name is what the set is called, as in "channels_postgres".
	Name string
	// About says in a line what it is for.
	About string

	objects []object
	needs   []object // of others, which must be there
	app     string   // the Django app that makes the same objects, or ""

	up, down string // the statements, where they are not in a file
}

// object is a table, an index or a function.
type object struct {
	kind kind
	name string // of a function with its parameters, as in "f()"
}

// kind is a kind of object, as messages call it.
type kind string

const (
	table    kind = "table"
	index    kind = "index"
	function kind = "function"
)

// Sets returns all sets, each behind those that it needs.
func Sets() []Set {
	tables := []object{{table, "channels_postgres_groupchannel"}, {table, "channels_postgres_message"}}
	return []Set{
		{
			Name:    "channels_postgres",
			About:   "the tables and the trigger of the Django app channels_postgres, for a site that does not have it",
			objects: append(tables[:2:2], object{function, "channels_postgres_notify()"}),
			app:     "channels_postgres",
		},
		{
			Name:  "channels_postgres_index",
			About: "indexes on the tables of channels_postgres, which has none; of use with many groups or messages that wait",
			objects: []object{
				{index, "belleville_groupchannel_group"},
				{index, "belleville_groupchannel_channel"},
				{index, "belleville_message_channel"},
				{index, "belleville_message_expire"},
			},
			needs: tables,
		},
	}
}

// Find returns the set of a name.
func Find(name string) (Set, error) {
	var names []string
	for _, s := range Sets() {
		if s.Name == name {
			return s, nil
		}
		names = append(names, s.Name)
	}
	return Set{}, fmt.Errorf("migrations: there is no such set: there are %s", strings.Join(names, ", "))
}

// UpSQL returns the statements that Up runs.
func (s Set) UpSQL() string {
	if s.up != "" {
		return s.up
	}
	return s.read("up")
}

// DownSQL returns the statements that Down runs.
func (s Set) DownSQL() string {
	if s.down != "" {
		return s.down
	}
	return s.read("down")
}

func (s Set) read(direction string) string {
	text, err := files.ReadFile("sql/" + s.Name + "." + direction + ".sql")
	if err != nil {
		panic("migrations: " + err.Error()) // a set without its files, which a test would have found
	}
	return string(text)
}
