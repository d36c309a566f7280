package channellayer

// A Capacity says how many events may wait in a channel whose name Glob matches. Globs are those of Python's
// fnmatch, on the whole name: "*", "?", "[a-z]" and "[!a-z]", as in "http.response!*".
type Capacity struct {
	Glob     string
	Capacity int
}

// Capacities knows the capacity of every channel. The zero Capacities is 0 for each.
//
// Python: BaseChannelLayer.compile_capacities and get_capacity.
type Capacities struct {
	rows     []compiledCapacity
	fallback int
}

// compiledCapacity is a Capacity whose glob was read.
type compiledCapacity struct {
	glob     glob
	capacity int
}

// NewCapacities returns the Capacities in which the first of rows that matches counts, and fallback where
// none does.
func NewCapacities(fallback int, rows []Capacity) Capacities {
	c := Capacities{fallback: fallback}
	for _, r := range rows {
		c.rows = append(c.rows, compiledCapacity{compileGlob(r.Glob), r.Capacity})
	}
	return c
}

// Of returns the capacity of a channel.
func (c Capacities) Of(channel string) int {
	for _, r := range c.rows {
		if r.glob.match(channel) {
			return r.capacity
		}
	}
	return c.fallback
}
