// Package channellayer says what a channel layer is: the bus on which the processes of a site, in Django
// and in Go, send each other events, to one channel or to a group of them.
//
// Start with [Layer]; memlayer has the one for a single process. A layer hands events to a [Receiver] and
// never waits for it, so one slow consumer delays nobody.
//
// Python: channels.layers.BaseChannelLayer.
package channellayer

import (
	"context"
	"errors"
)

var (
	// ErrFull means that a channel holds as many events as its capacity allows.
	// Python: channels.exceptions.ChannelFull.
	ErrFull = errors.New("channellayer: channel is full")

	// ErrNoChannel means that a process-local channel (one with a "!" in its name) is not open here.
	ErrNoChannel = errors.New("channellayer: no such channel")

	// ErrInvalidName means that a channel or group name breaks the rules of [CheckChannelName] and [CheckGroupName].
	ErrInvalidName = errors.New("channellayer: invalid name")

	// ErrInvalidEvent means that an event has no type, or holds what no layer can carry.
	ErrInvalidEvent = errors.New("channellayer: invalid event")

	// ErrClosed means that the layer was closed.
	ErrClosed = errors.New("channellayer: layer is closed")
)

// A Layer is this process's end of a channel layer. Its methods may be called concurrently. An Event may be
// changed by its sender once the method has returned; what comes out of a Layer belongs to all its receivers,
// and nobody changes it.
//
// A name that breaks the rules is refused with an error that wraps [ErrInvalidName], an event that does with
// [ErrInvalidEvent]. A ctx that is done already stops every method.
//
// Python: channels.layers.BaseChannelLayer, where new_channel and receive are one: here whoever opens a
// channel says at once who takes its events.
type Layer interface {
	// NewChannel opens a channel of this process alone and returns its name, as in "specific.9f31c0!1a".
	// Events sent to it go to r until CloseChannel.
	NewChannel(ctx context.Context, r Receiver) (string, error)

	// CloseChannel takes a channel out of all its groups and forgets it. An unknown name is no error.
	CloseChannel(name string)

	// Send puts e on a channel, here or in another process. It returns ErrFull where the channel is over
	// its capacity. An event for a process's channel that is not open any more is lost, without an error.
	Send(ctx context.Context, channel string, e Event) error

	// GroupAdd makes a channel a member of a group; one that is a member already stays one. It may return
	// ErrNoChannel for a channel of this process that is not open.
	GroupAdd(ctx context.Context, group, channel string) error

	// GroupDiscard ends a membership; to end one that does not exist is no error.
	GroupDiscard(ctx context.Context, group, channel string) error

	// GroupSend sends e to every member of a group, in every process. A member that is full misses e,
	// which is counted; it is no error.
	GroupSend(ctx context.Context, group string, e Event) error
}

// A Listener is a Layer on which workers can listen to channels that are no process's own, such as
// "thumbnails". Python: what runworker does with channel_layer.receive.
type Listener interface {
	// Listen hands the events of a channel to r until ctx is done, and returns ctx's error. Each event goes
	// to one listener.
	Listen(ctx context.Context, channel string, r Receiver) error
}

// A Receiver takes the events of one channel.
type Receiver interface {
	// Receive takes d and does not wait. It reports false, and has not taken d, where capacity events are
	// waiting already. It may be called concurrently, and calls no Layer.
	Receive(d *Delivery, capacity int) bool
}
