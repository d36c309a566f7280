package pglayer_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/belleville/belleville/channellayer"
)

// TestF28 is that row of the table of faults: sizes at which the triggers that Django sites have fail.
func TestF28(t *testing.T) {
	for _, trigger := range triggers() {
		d := site(t)
		d.Exec(t, trigger.text)
		both(t, trigger.name, func(t *testing.T, start startPython) {
			c := at(role(t, d))
			ours, other, theirs := open(t, c), open(t, c), start(t, d.URL(), nil)
			there := theirs.channel()
			name, q := channel(t, ours, "edge")
			theirs.do(nil, "", "group_add", "edge", there)
			defer theirs.do(nil, "", "group_discard", "edge", there)
			for _, size := range edges() {
				e := channellayer.Event{"type": "edge", "b": make([]byte, size-16)}
				must(t, other.GroupSend(t.Context(), "edge", e))
				want(t, q, e)
				must(t, other.Send(t.Context(), name, e))
				want(t, q, e)
				literal := fmt.Sprintf(`{'type': 'edge', 'b': b'%s'}`, strings.Repeat(`\x00`, size-16))
				theirs.receives(there, literal)
				must(t, other.Send(t.Context(), there, e))
				theirs.receives(there, literal)
			}
			for size, fails := range trigger.fails {
				literal := fmt.Sprintf(`{'type': 'edge', 'b': b'%s'}`, strings.Repeat(`\x00`, size-16))
				if said := theirs.refuses(literal, "send", name); (said != "") != fails {
					t.Errorf("Django's send of %d bytes says %q, fails is to be %t", size, said, fails)
				}
			}
			row(t, true, "F28", trigger.name, fmt.Sprint("all of ", len(edges()), " sizes came, to us and to Python"), "0 failed")
		})
	}
}

// edges are sizes of messages around those at which a trigger decides otherwise.
func edges() (sizes []int) {
	for _, span := range [][2]int{{5750, 5780}, {5845, 6061}, {6500, 6502}, {7160, 7176}} {
		for size := span[0]; size < span[1]; size++ {
			sizes = append(sizes, size)
		}
	}
	return sizes
}

// trigger is what notifies in a site's database.
type trigger struct {
	name  string
	text  string
	fails map[int]bool // whether Django's own messages of some sizes fail
}

// triggers are those of the releases of channels_postgres, in our words.
func triggers() []trigger {
	const begin = `CREATE OR REPLACE FUNCTION channels_postgres_notify() RETURNS trigger LANGUAGE plpgsql AS $$
		DECLARE brief text := NEW.id || ':' || NEW.channel;
			whole text := brief || ':' || encode(NEW.message, 'base64') || ':' || extract(epoch FROM NEW.expire);
		BEGIN `
	const end = ` THEN whole := brief; END IF;
			PERFORM pg_notify('channels_postgres_messages', whole);
			RETURN NEW;
		END $$`
	return []trigger{
		// It goes by the size of the message, and so fails for all between the largest that fits and 7168 bytes.
		{"the trigger of 1.1.0 to 1.1.3", begin + `IF octet_length(NEW.message) > 7168` + end, map[int]bool{5700: false, 6100: true, 7168: true, 7169: false}},
		// It takes a payload of 8000 bytes for one that fits.
		{"the trigger of 1.1.4", begin + `IF octet_length(whole) > 8000` + end, map[int]bool{5700: false, 6100: false, 7168: false, 7169: false}},
	}
}
