package djangocompat_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/internal/chaos"
)

// cookieProbes are headers that libraries have read in different ways.
var cookieProbes = []string{
	"sessionid=a; sessionid=b", "sessionid=b; =a", "sessionid=; sessionid=b", `sessionid="a\054b"`, "sessionid=a,b", " sessionid = sp ",
	`sessionid="unterminated`, `sessionid="q;uoted"`, "sessionid=a=b==", "sessionid", "sessionid=%41", "SessionID=x", "sessionid=a\x00b",
	";; sessionid=x;;", "xsessionid=y; sessionid=x", `sessionid="a\"b"`, `sessionid="\\"`, `sessionid="\400\377\08"`, "sessionid=\"\\\n\"",
	"\xa0sessionid\x85=\x1cx\x1f", `sessionid=""`, `sessionid="`, "=", "==", `"sessionid"=x`, "sessionid\x0b=\x0cx", "$Version=1; sessionid=x",
}

// compareCookies says which of some headers Django reads otherwise.
const compareCookies = `
from django.http.cookie import parse_cookie
def compare(asked):
    return [[header, read, parse_cookie(header)] for header, read in asked if parse_cookie(header) != read]`

// TestT02CookiesLikeDjango is security row T02: random Cookie headers are read as Django reads them.
func TestT02CookiesLikeDjango(t *testing.T) {
	const processes, batch = 2, 5000
	count := chaos.Size(1_000_000, 20_000)
	peers := make([]*django, processes)
	for i := range peers {
		peers[i] = startDjango(t, compareCookies)
	}
	var asking sync.WaitGroup
	var wrong atomic.Int64
	for i, peer := range peers {
		asking.Go(func() {
			r := rand.New(rand.NewPCG(2, uint64(i)))
			for range count / processes / batch {
				headers := make([]string, batch)
				for j := range headers {
					headers[j] = randomCookies(r)
				}
				wrong.Add(compareHeaders(t, peer, headers))
			}
		})
	}
	asking.Wait()
	wrong.Add(compareHeaders(t, peers[0], cookieProbes))
	chaos.Row(t, chaos.Holds(!t.Failed()), "T02", fmt.Sprintf("%d random Cookie headers and %d probes", count, len(cookieProbes)),
		fmt.Sprintf("%d read otherwise than by Django's parse_cookie", wrong.Load()), "0")
}

// compareHeaders fails the test where Django reads a header otherwise, and returns how many those are.
func compareHeaders(t *testing.T, peer *django, headers []string) int64 {
	asked := make([][2]any, len(headers))
	for i, header := range headers {
		cookies, err := djangocompat.ParseCookie(header)
		if err != nil {
			t.Errorf("%q: %v", header, err)
			return 1
		}
		if got, ok := djangocompat.CookieValue(header, "sessionid"); got != cookies["sessionid"] || ok != hasKey(cookies, "sessionid") {
			t.Errorf("%q: CookieValue = %q, ParseCookie has %q", header, got, cookies["sessionid"])
		}
		asked[i] = [2]any{latin1Text(header), cookies}
	}
	var wrong []json.RawMessage
	if err := peer.try("compare", asked, &wrong); err != nil {
		t.Error(err)
	}
	for _, w := range wrong {
		t.Errorf("the header, what Go reads, what Django reads: %s", w)
	}
	return int64(len(wrong))
}

func hasKey(cookies map[string]string, name string) bool {
	_, ok := cookies[name]
	return ok
}

// latin1Text is the text whose characters are the bytes of s, which is what Django gets.
func latin1Text(s string) string {
	var text strings.Builder
	for i := range len(s) {
		text.WriteRune(rune(s[i]))
	}
	return text.String()
}

// randomCookies makes a Cookie header of pieces that matter, of probes, and of any bytes.
func randomCookies(r *rand.Rand) string {
	pieces := []string{
		"sessionid", "csrftoken", "a", "=", "=", ";", ";", "; ", " ", `"`, `"`, `\`, `\"`, `\0`, `\101`, `\377`, `\400`, `\08`, ",", "\t", "\n", "\r", "\x00",
		"\x0b", "\x1c", "\x1f", "\x85", "\xa0", "\xff", "\xc3\xa9", "%3D", "$Path", "0", "7",
	}
	var header strings.Builder
	for range r.IntN(20) {
		switch r.IntN(12) {
		case 0:
			header.WriteByte(byte(r.UintN(256)))
		case 1:
			probe := cookieProbes[r.IntN(len(cookieProbes))]
			header.WriteString(probe[r.IntN(len(probe)):])
		case 2:
			header.WriteString(`; sessionid="`)
		default:
			header.WriteString(pieces[r.IntN(len(pieces))])
		}
	}
	return header.String()
}

// TestT03SessionKeys is security row T03: session keys are different, and of characters that are equally likely.
func TestT03SessionKeys(t *testing.T) {
	const alphabet, length = "abcdefghijklmnopqrstuvwxyz0123456789", 32
	count := chaos.Size(1_000_000, 50_000)
	seen := make(map[string]struct{}, count)
	var all [256]int
	var places [length][256]int
	for range count {
		key := djangocompat.NewSessionKey()
		if len(key) != length {
			t.Fatalf("%q has %d characters, want %d", key, len(key), length)
		}
		seen[key] = struct{}{}
		for i := range length {
			all[key[i]]++
			places[i][key[i]]++
		}
	}
	if n := sumOf(all, alphabet); n != count*length {
		t.Errorf("%d of %d characters are of the alphabet", n, count*length)
	}
	whole, worst := chiSquare(all, alphabet, count*length), 0.0
	for _, place := range places {
		worst = max(worst, chiSquare(place, alphabet, count))
	}
	// With 35 degrees of freedom one in a million exceeds 90.5, and of 32 places the largest one in a million 100.5.
	chaos.Row(t, len(seen) == count && whole < 90.5 && worst < 100.5, "T03", fmt.Sprintf("%d session keys", count),
		fmt.Sprintf("%d twice; chi-square over the 36 characters %.1f, and %.1f at the worst of 32 places", count-len(seen), whole, worst), "none; 90.5 and 100.5, which one in a million exceeds")
}

func sumOf(counts [256]int, alphabet string) (sum int) {
	for i := range len(alphabet) {
		sum += counts[alphabet[i]]
	}
	return sum
}

// chiSquare compares how often each character of an alphabet came with equal shares.
func chiSquare(counts [256]int, alphabet string, total int) float64 {
	want, sum := float64(total)/float64(len(alphabet)), 0.0
	for i := range len(alphabet) {
		d := float64(counts[alphabet[i]]) - want
		sum += d * d / want
	}
	return sum
}
