//go:build !race

package pickle_test

// raceEnabled says that the race detector slows the tests down.
const raceEnabled = false
