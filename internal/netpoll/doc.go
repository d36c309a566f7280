// Package netpoll is the kernel's interface for holding many sockets with few goroutines: epoll, and the
// system calls on non-blocking descriptors that go with it. It is Linux only.
//
// Start with [Open]. A Poller knows nothing of what the sockets are for.
package netpoll
