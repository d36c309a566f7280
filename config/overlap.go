package config

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/belleville/belleville/channellayer/redislayer"
)

// IsRedis reports whether the layer is one of channels_redis.
func (l ChannelLayer) IsRedis() bool { return l.Backend == redisBackend || l.Backend == pubSubBackend }

// InspectRedis returns what looks at the hosts of a layer of channels_redis.
func (c *Config) InspectRedis(ctx context.Context) (*redislayer.Inspector, error) {
	redis, err := c.ChannelLayers.Default.redis()
	if err != nil {
		return nil, err
	}
	return redislayer.NewInspector(ctx, redis)
}

// SharedGroups returns a line for each pair of routes whose templates can yield the same group, so that whoever is let
// in by one hears what is said in the other. The groups that a user has alone are left out.
func (c *Config) SharedGroups() []string {
	var lines []string
	for i, one := range c.Routes {
		for j, other := range c.Routes[i+1:] {
			for _, a := range one.Groups {
				for _, b := range other.Groups {
					if (a != b || !ofUserAlone(a)) && overlap(pieces(a, one), pieces(b, other)) {
						lines = append(lines, fmt.Sprintf("routes[%d].groups: %s can be the same group as %s of routes[%d], who is let in by one hears the other",
							i, quote(a), quote(b), i+1+j))
					}
				}
			}
		}
	}
	return slices.Compact(lines)
}

// inBraces is a value in a template.
var inBraces = regexp.MustCompile(`\{[^{}]*\}`)

// ofUserAlone reports whether all values of a template are the user's.
func ofUserAlone(template string) bool {
	values := inBraces.FindAllString(template, -1)
	return len(values) > 0 && !slices.ContainsFunc(values, func(v string) bool { return !strings.HasPrefix(v, "{user.") })
}

// piece is a part of what a template yields: one character of a set, or any number of them.
type piece struct {
	set  string
	star bool
}

// The characters that values have in the names of groups.
const (
	digits     = "0123456789"
	groupBytes = digits + "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_."
)

// pieces returns the parts of a template. A value is one character at least.
func pieces(template string, r Route) []piece {
	var list []piece
	for at := 0; at < len(template); {
		name := ""
		if place := inBraces.FindStringIndex(template[at:]); place != nil && place[0] == 0 {
			name = template[at : at+place[1]]
		}
		if name == "" {
			list = append(list, piece{set: template[at : at+1]})
			at++
			continue
		}
		set := groupBytes
		if strings.Contains(r.Path, "<int:"+strings.Trim(name, "{}")+">") {
			set = digits
		}
		list = append(list, piece{set: set}, piece{set: set, star: true})
		at += len(name)
	}
	return list
}

// overlap reports whether there is a text that both lists yield.
func overlap(a, b []piece) bool {
	seen := make(map[[2]int]bool)
	var from func(i, j int) bool
	from = func(i, j int) bool {
		if i == len(a) && j == len(b) {
			return true
		}
		if seen[[2]int{i, j}] {
			return false
		}
		seen[[2]int{i, j}] = true
		if i < len(a) && a[i].star && from(i+1, j) || j < len(b) && b[j].star && from(i, j+1) {
			return true
		}
		if i == len(a) || j == len(b) || !strings.ContainsAny(a[i].set, b[j].set) {
			return false
		}
		next := func(list []piece, at int) int {
			if list[at].star {
				return at
			}
			return at + 1
		}
		return from(next(a, i), next(b, j))
	}
	return from(0, 0)
}
