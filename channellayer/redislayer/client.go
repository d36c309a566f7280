package redislayer

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/belleville/belleville/channellayer"
)

// ErrUnavailable means that a host did not do what it was asked to, or that nobody knows whether it did: it is
// away, too slow, or refuses.
var ErrUnavailable = errors.New("redislayer: Redis is not available")

// oldest is the oldest major version of Redis that has what the layer needs: BZPOPMIN, and scripts with TIME.
const oldest = 5

// client is a host with the connection that commands go through. Its methods may be called concurrently.
type client struct {
	// Set at birth, never changed.
	index   int
	host    Host
	option  rueidis.ClientOption
	timeout time.Duration

	mu    sync.Mutex // guards the field below
	redis rueidis.Client
}

// newClient makes the client of a host, and connects to nobody.
func newClient(index int, h Host, timeout time.Duration) (*client, error) {
	option, err := h.option()
	if err != nil {
		return nil, err
	}
	d := newDialer(h.withDefaults().Network)
	option.DialCtxFn = d.dial
	option.Dialer.Timeout = dialTimeout
	option.Dialer.KeepAlive = time.Second
	option.ConnWriteTimeout = timeout
	option.ReadBufferEachConn, option.WriteBufferEachConn = 64<<10, 64<<10
	option.PipelineMultiplex = -1  // one connection
	option.AlwaysPipelining = true // so that who gives up does not take the connection along
	option.AlwaysRESP2 = true
	option.DisableCache = true
	option.DisableRetry = true // a send that may have arrived is not sent again
	option.ForceSingleClient = option.Sentinel.MasterSet == ""
	option.ClientName = "belleville"
	option.ClientSetInfo = rueidis.DisableClientSetInfo
	if option.Sentinel.MasterSet != "" {
		option.Sentinel.Dialer = option.Dialer
		option.Sentinel.TopologyRefreshInterval = 5 * time.Second
	}
	return &client{index: index, host: h, option: option, timeout: timeout}, nil
}

// connect makes the connection, if there is none; rueidis renews one that breaks.
func (c *client) connect(ctx context.Context) (rueidis.Client, error) {
	if redis := c.current(); redis != nil {
		return redis, nil
	}
	redis, err := rueidis.NewClient(c.option)
	if err != nil {
		return nil, c.unavailable(err)
	}
	if err := c.checkVersion(ctx, redis); err != nil {
		redis.Close()
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.redis = redis
	return redis, nil
}

// checkVersion refuses a Redis that is too old. One that does not tell its version passes.
func (c *client) checkVersion(ctx context.Context, redis rueidis.Client) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	info, err := redis.Do(ctx, redis.B().Info().Section("server").Build()).ToString()
	if err != nil {
		if _, refused := rueidis.IsRedisErr(err); refused && !isRefusal(err) {
			return nil
		}
		return c.unavailable(err)
	}
	_, version, _ := strings.Cut(info, "redis_version:")
	major, _, _ := strings.Cut(version, ".")
	if n, err := strconv.Atoi(major); err == nil && n < oldest {
		return &RefusedError{Host: c.host, Index: c.index, Reason: fmt.Sprintf("it is Redis %d, and %d or newer is needed", n, oldest)}
	}
	return nil
}

// fresh makes another connection, which ends with close: it leads where the host's address leads now. After a failover
// that may be another server than the one that the lasting connections are with.
func (c *client) fresh() (redis rueidis.Client, err error) {
	option := c.option
	option.ReadBufferEachConn, option.WriteBufferEachConn = 4<<10, 4<<10
	return rueidis.NewClient(option)
}

// forget ends the connection, so that connect makes another one, where err says that it leads to the wrong server.
func (c *client) forget(err error) {
	refused, ok := errors.AsType[*rueidis.RedisError](err)
	if !errors.Is(err, errDeaf) && !(ok && strings.HasPrefix(refused.Error(), "READONLY")) {
		return
	}
	c.mu.Lock()
	redis := c.redis
	c.redis = nil
	c.mu.Unlock()
	if redis != nil {
		redis.Close()
	}
}

// current returns the connection, or nil where there is none.
func (c *client) current() rueidis.Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.redis
}

// close ends the connection.
func (c *client) close() {
	if redis := c.current(); redis != nil {
		redis.Close()
	}
}

// run runs a script.
func (c *client) run(ctx context.Context, script *rueidis.Lua, keys, args []string) (rueidis.RedisMessage, error) {
	return c.do(ctx, func(ctx context.Context, redis rueidis.Client) rueidis.RedisResult {
		return script.Exec(ctx, redis, keys, args)
	})
}

// do asks the host something.
func (c *client) do(ctx context.Context, ask func(context.Context, rueidis.Client) rueidis.RedisResult) (rueidis.RedisMessage, error) {
	var none rueidis.RedisMessage
	if err := ctx.Err(); err != nil {
		return none, err
	}
	redis := c.current()
	if redis == nil {
		return none, c.unavailable(errNoSession)
	}
	limited, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	m, err := ask(limited, redis).ToMessage()
	switch {
	case err == nil, rueidis.IsRedisNil(err):
		return m, nil
	case ctx.Err() != nil:
		return none, ctx.Err()
	default:
		return none, c.unavailable(err)
	}
}

// unavailable describes what went wrong with the host.
func (c *client) unavailable(err error) error {
	if errors.Is(err, ErrUnavailable) {
		return err
	}
	if isRefusal(err) {
		return &RefusedError{Host: c.host, Index: c.index, Reason: refusal(err)}
	}
	return fmt.Errorf("%w: host %d (%s): %w", ErrUnavailable, c.index, c.host, err)
}

// A RefusedError is a host that is there and will not serve us, until somebody repairs it or the configuration:
// its password is another one, its database does not exist, its version is too old. It is an [ErrUnavailable].
type RefusedError struct {
	Host   Host
	Index  int
	Reason string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("redislayer: host %d (%s) refuses: %s", e.Index, e.Host, e.Reason)
}

// Is makes the error an ErrUnavailable.
func (e *RefusedError) Is(target error) bool { return target == ErrUnavailable }

// isRefusal reports whether an error of Redis means that somebody must repair something.
func isRefusal(err error) bool { return refusal(err) != "" }

// refusal says in our words why a host refuses, or "" where it does not. What Redis says may hold a name.
func refusal(err error) string {
	refused, ok := rueidis.IsRedisErr(err)
	if !ok {
		return ""
	}
	text := strings.TrimPrefix(refused.Error(), "ERR ")
	for _, r := range []struct{ begin, reason string }{
		{"WRONGPASS", "the username or password is wrong"},
		{"invalid password", "the password is wrong"},
		{"NOAUTH", "it wants a password, and none is configured"},
		{"AUTH <password> called without any password", "a password is configured, and it wants none"},
		{"Client sent AUTH, but no password is set", "a password is configured, and it wants none"},
		{"DB index is out of range", "it has no database of that number"},
		{"invalid DB index", "it has no database of that number"},
		{"NOPERM", "the user may not run a command that the layer needs"},
		{"DENIED", "it is in protected mode"},
	} {
		if strings.HasPrefix(text, r.begin) {
			return r.reason
		}
	}
	return ""
}

// float reads a number that Redis wrote.
func float(m rueidis.RedisMessage) float64 {
	text, err := m.ToString()
	if err != nil {
		return 0
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0
	}
	return f
}

// seconds writes a time for a script.
func seconds(d time.Duration) string {
	return strconv.FormatFloat(d.Seconds(), 'f', -1, 64)
}

// checkNames is what GroupAdd and GroupDiscard ask of their arguments.
func checkNames(ctx context.Context, group, channel string) error {
	if err := channellayer.CheckGroupName(group); err != nil {
		return err
	}
	if err := channellayer.CheckChannelName(channel); err != nil {
		return err
	}
	return ctx.Err()
}
