package pickle_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/belleville/belleville/pickle"
)

func decode(t testing.TB, data string) any {
	t.Helper()
	v, err := pickle.Decode([]byte(data), pickle.Config{})
	if err != nil {
		t.Fatalf("Decode: %v", err)
	}
	return v
}

func TestReferencesKeepTheirIdentity(t *testing.T) {
	t.Run("a list in two places is one list", func(t *testing.T) {
		for _, data := range []string{
			"(lp0\n(lp1\nag1\na.",
			"]q\x00(]q\x01h\x01h\x01e.",
			"\x80\x04]\x94(]\x94h\x01h\x01e.",
		} {
			l := decode(t, data).(*pickle.List)
			first := l.Items[0].(*pickle.List)
			first.Items = append(first.Items, "seen")
			if got := show(t, l.Items[1]); !strings.Contains(got, "seen") {
				t.Errorf("%q: the second reference shows %s", data, got)
			}
		}
	})
	t.Run("a list that contains itself does so", func(t *testing.T) {
		l := decode(t, "]q\x00h\x00a.").(*pickle.List)
		if l.Items[0] != any(l) {
			t.Errorf("its element is %v", l.Items[0])
		}
	})
	t.Run("a tuple that contains itself by way of a list does so", func(t *testing.T) {
		tuple := decode(t, "\x80\x02]q\x00h\x00\x85q\x01a0h\x01.").(pickle.Tuple)
		list := tuple[0].(*pickle.List)
		if inner := list.Items[0].(pickle.Tuple); &inner[0] != &tuple[0] {
			t.Errorf("the tuple in the list is another one")
		}
	})
	t.Run("an object that contains itself does so", func(t *testing.T) {
		o := decode(t, "\x80\x02csite\nNode\n)\x81q\x00}X\x04\x00\x00\x00selfh\x00sb.").(*pickle.Object)
		if self, _ := o.Attr("self"); self != any(o) {
			t.Errorf("its attribute is %v", self)
		}
		again := decodeAgain(t, o).(*pickle.Object)
		if self, _ := again.Attr("self"); self != any(again) {
			t.Errorf("written and read again, its attribute is %v", self)
		}
	})
}

func TestEncodeKeepsKnots(t *testing.T) {
	for name, data := range knots {
		t.Run(name, func(t *testing.T) {
			v := decode(t, data)
			checkText(t, "Encode, Decode", graph(t, decodeAgain(t, v)), graph(t, v))
		})
	}
}

// Security row T13: the bytes of an int are never opcodes, and an int of any length is what it is.
func TestIntsOfEveryLength(t *testing.T) {
	for length := range 300 {
		for _, first := range []byte{0x00, 0x7f, 0x80, 0xff} {
			payload := bytes.Repeat([]byte{'.'}, length) // STOP, if it were run
			if length > 0 {
				payload[length-1] = first
			}
			data := append([]byte{0x8a, byte(length)}, payload...)
			if length > 255 {
				data = append([]byte{0x8b, byte(length), byte(length >> 8), 0, 0}, payload...)
			}
			v := decode(t, string(append(data, '.')))
			if got, want := fmt.Sprint(v), twosComplement(payload).String(); got != want {
				t.Fatalf("an int of %d bytes is %s, want %s", length, got, want)
			}
			if again := decodeAgain(t, v); fmt.Sprint(again) != fmt.Sprint(v) {
				t.Fatalf("an int of %d bytes, written and read again, is %v", length, again)
			}
		}
	}
}

func twosComplement(littleEndian []byte) *big.Int {
	n := new(big.Int)
	for i, b := range littleEndian {
		part := new(big.Int).Lsh(big.NewInt(int64(b)), uint(8*i))
		if i == len(littleEndian)-1 && b >= 0x80 {
			part.Sub(part, new(big.Int).Lsh(big.NewInt(256), uint(8*i)))
		}
		n.Add(n, part)
	}
	return n
}

func TestAnIntDoesNotChangeTheUser(t *testing.T) {
	// A decoder that runs the payload sees these opcodes set another user and stop.
	smuggled := "0X\x0d\x00\x00\x00_auth_user_idX\x01\x00\x00\x001s."
	payload := smuggled + strings.Repeat("N", 200-len(smuggled))
	data := "\x80\x02}(X\x0d\x00\x00\x00_auth_user_idX\x01\x00\x00\x007X\x01\x00\x00\x00n\x8a\xc8" + payload + "u."
	d := decode(t, data).(*pickle.Dict)
	if user, _ := d.Get("_auth_user_id"); user != "7" || d.Len() != 2 {
		t.Errorf("the session is %v", d)
	}
}

func TestRefusals(t *testing.T) {
	const canary = "S3CRET"
	tests := []struct {
		name, data string
		want       error
		op         byte
		offset     int
	}{
		{"a persistent id", "P" + canary + "\n.", pickle.ErrUnsupported, 'P', 0},
		{"a binary persistent id", "K\x01Q.", pickle.ErrUnsupported, 'Q', 2},
		{"an extension code", "\x80\x02\x82\x01.", pickle.ErrUnsupported, 0x82, 2},
		{"an out-of-band buffer", "\x80\x05\x97.", pickle.ErrUnsupported, 0x97, 2},
		{"a read-only bytearray", "\x80\x05\x96\x01\x00\x00\x00\x00\x00\x00\x00a\x98.", pickle.ErrUnsupported, 0x98, 12},
		{"a call that is thrown away", "cos\nsystem\n(V" + canary + "\ntR0N.", pickle.ErrUnsupported, '.', 24},
		{"a call under the value", "cos\nsystem\n(V" + canary + "\ntRN.", pickle.ErrUnsupported, '.', 23},
		{"a call that another value replaces", "(dVk\ncos\nsystem\n)RsVk\nNs.", pickle.ErrUnsupported, '.', 24},
		{"a call in the memo only", "cos\nsystem\n)Rp1\n0N.", pickle.ErrUnsupported, '.', 18},
		{
			"a UUID that is used before it has its number", "\x80\x02cuuid\nUUID\n)\x81q\x00h\x00\x85q\x010}X\x03\x00\x00\x00intK\x01sb.",
			pickle.ErrUnsupported, 'b', 35,
		},
		{"a number that is none", "F" + canary + "\n.", pickle.ErrMalformed, 'F', 0},
		{"an unknown opcode", "\xffN.", pickle.ErrMalformed, 0xff, 0},
		{"no end", "]", pickle.ErrMalformed, 0, 1},
		{"nothing", "", pickle.ErrMalformed, 0, 0},
		{"a call of a string", "V" + canary + "\n)R.", pickle.ErrMalformed, 'R', 9},
		{"a dict as a key", "}}Ns.", pickle.ErrMalformed, 's', 3},
		{"a set as a member", "\x80\x04\x8f(\x8f\x90.", pickle.ErrMalformed, 0x90, 5},
		{"a set in a tuple as a key", "\x80\x04}\x8f\x85Ns.", pickle.ErrMalformed, 's', 6},
		{"an append to a tuple", ")Na.", pickle.ErrMalformed, 'a', 2},
		{"a state for a list", "]}b.", pickle.ErrMalformed, 'b', 2},
		{"an int of too many digits", "L" + strings.Repeat("7", 4301) + "\n.", pickle.ErrLimit, 'L', 0},
		{"a NaN that is shared, as a key twice", "}G\x7f\xf8\x00\x00\x00\x00\x00\x00q\x00Nsh\x00Ns.", pickle.ErrUnsupported, 's', 17},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, err := pickle.Decode([]byte(tt.data), pickle.Config{})
			refusal, ok := errors.AsType[*pickle.OpcodeError](err)
			if !ok || !errors.Is(err, tt.want) {
				t.Fatalf("Decode = %v, %v, want an OpcodeError for %v", v, err, tt.want)
			}
			if refusal.Op != tt.op || refusal.Offset != tt.offset {
				t.Errorf("refused at opcode %q, offset %d, want %q, %d", refusal.Op, refusal.Offset, tt.op, tt.offset)
			}
			if strings.Contains(err.Error(), canary) {
				t.Errorf("the error shows what is in the pickle: %v", err)
			}
		})
	}
}

func TestReadingTextAsPythonDoes(t *testing.T) {
	tests := []struct{ name, data, want string }{
		{"INT 01 is a bool", "I01\n.", "true"},
		{"INT 00 is a bool", "I00\n.", "false"},
		{"INT with a space and 1 is one, to strtol", "I 1\n.", "true"},
		{"INT 001 is an int", "I001\n.", "1"},
		{"INT in octal", "I0777\n.", "511"},
		{"INT in hexadecimal", "I-0xFf\n.", "-255"},
		{"INT in binary", "I0b101\n.", "5"},
		{"INT in Python's octal", "I0o17\n.", "15"},
		{"INT with underscores", "I1_000\n.", "1000"},
		{"INT beyond 64 bits", "I-9223372036854775809\n.", `{"$type":"int","value":"-9223372036854775809"}`},
		{"LONG with L", "L10L\n.", "10"},
		{"LONG in hexadecimal", "L0x_f\n.", "15"},
		{"FLOAT without digits after the point", "F1.\n.", "1.0"},
		{"FLOAT without digits before the point", "F-.5e1\n.", "-5.0"},
		{"FLOAT infinity", "F-Infinity\n.", `{"$type":"float","value":"-inf"}`},
		{"STRING with escapes", `S'\x41\101\n\'\q\\'` + "\n.", `"AA\n'\\q\\"`},
		{"UNICODE with escapes", `V\u0041\U0001f600\n` + "\xe9\n.", `"A\ud83d\ude00\\n\u00e9"`},
		{"UNICODE with a doubled backslash", `V\\u0041` + "\n.", `"\\\\u0041"`},
		{"UNICODE with a pair of surrogates", `V\ud83d\ude00` + "\n.", `{"$type":"str","code_points":[55357,56832]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := show(t, decode(t, tt.data)); got != tt.want {
				t.Errorf("Decode shows %s, want %s", got, tt.want)
			}
		})
	}
	for _, bad := range []string{
		"I08\n.", "I017 \n.", "I1L\n.", "I1__0\n.", "I_1\n.", "I0x\n.", "I--1\n.", "I1\x00\n.", "I\n.", "I+\n.", "I 0x1 f\n.",
		"L017L\n.", "LL\n.", "L1.5\n.", "L\n.",
		"F0x1p3\n.", "F1_0.0\n.", "F 1\n.", "F1 \n.", "F1e999\n.", "F+-inf\n.", "Finfinit\n.", "F\n.",
		`S'\x4'` + "\n.", `S'a` + "\n.", `S'a"` + "\n.", `S'\'` + "\n.", "S'\xe9'\n.", "S'\\351'\n.", "S\n.", "S'\n.",
		`V\u004` + "\n.", `V\U00110000` + "\n.", `V\uzzzz` + "\n.",
		"c\nx\n.", "cx\n\n.", "cx\xff\ny\n.", "(lp-1\n.", "(lpx\n.", "(lg0\n.",
	} {
		t.Run(hex.EncodeToString([]byte(bad)), func(t *testing.T) {
			if v, err := pickle.Decode([]byte(bad), pickle.Config{}); !errors.Is(err, pickle.ErrMalformed) {
				t.Errorf("Decode(%q) = %v, %v, want ErrMalformed", bad, v, err)
			}
		})
	}
}

func TestNamesOfPython2(t *testing.T) {
	tests := []struct {
		protocol      byte
		name, in, out string
	}{
		{2, "a builtin", "__builtin__\nxrange", "builtins.range"},
		{2, "an exception", "exceptions\nKeyError", "builtins.KeyError"},
		{1, "a module that moved", "cookielib\nCookieJar", "http.cookiejar.CookieJar"},
		{0, "a function that moved", "urllib\nquote", "urllib.parse.quote"},
		{2, "a name that stayed", "collections\ndeque", "collections.deque"},
		{3, "protocol 3 has Python 3's names", "urllib\nquote", "urllib.quote"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := decode(t, fmt.Sprintf("\x80%cc%s\n.", tt.protocol, tt.in)).(pickle.Class)
			if got := c.Module + "." + c.Name; got != tt.out {
				t.Errorf("the class is %s, want %s", got, tt.out)
			}
		})
	}
}
