package parts

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// The ports that FreePort chooses from lie below those that systems hand out to outgoing connections, so that
// none of these takes the port of a program that a test has stopped and will start again.
const (
	lowestPort  = 20000
	highestPort = 32000
	portTries   = 100
)

// FreePort finds a TCP port of 127.0.0.1 that nobody listens on. Somebody else may take it before the caller does.
func FreePort() (int, error) {
	for range portTries {
		port := lowestPort + rand.IntN(highestPort-lowestPort)
		listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		return port, listener.Close()
	}
	return 0, fmt.Errorf("no free port among %d tries between %d and %d", portTries, lowestPort, highestPort)
}
