package redislayer

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/belleville/belleville/channellayer/wireformat"
)

// A ServerReport is what there is to know of one host of a layer.
type ServerReport struct {
	// Host is its place in the configuration, Version that of its Redis, as in "7.0.15"; "" where it does not tell.
	Host    int
	Version string
	// Ahead is by how much this machine's clock is ahead of the host's.
	Ahead time.Duration
	// Belleville says that it is the broker of a Belleville.
	Belleville bool
	// Evicts says that the host may throw keys away when its memory is full: groups, and messages that wait.
	Evicts bool
}

// Servers asks each host what it is.
func (i *Inspector) Servers(ctx context.Context) ([]ServerReport, error) {
	var reports []ServerReport
	for _, c := range i.clients {
		before := time.Now()
		now, err := i.now(ctx, c)
		if err != nil {
			return nil, err
		}
		middle := before.Add(time.Since(before) / 2)
		r := ServerReport{Host: c.index, Ahead: time.Duration((float64(middle.UnixMicro())/1e6 - now) * float64(time.Second))}
		server, memory := i.info(ctx, c, "server"), i.info(ctx, c, "memory")
		r.Version, r.Belleville = server["redis_version"], server["server_name"] == "belleville"
		policy := memory["maxmemory_policy"]
		r.Evicts = memory["maxmemory"] != "0" && policy != "" && policy != "noeviction"
		reports = append(reports, r)
	}
	return reports, nil
}

// info returns a section of what a host says of itself; nothing where it says nothing.
func (i *Inspector) info(ctx context.Context, c *client, section string) map[string]string {
	answer, err := c.do(ctx, func(ctx context.Context, redis rueidis.Client) rueidis.RedisResult {
		return redis.Do(ctx, redis.B().Info().Section(section).Build())
	})
	if err != nil {
		return nil
	}
	text, _ := answer.ToString()
	lines := make(map[string]string)
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok && len(value) < 100 {
			lines[name] = value
		}
	}
	return lines
}

// A WaitingReport says how many of the messages that wait could be read: the oldest of each inbox.
type WaitingReport struct {
	Messages int
	// Foreign were encrypted with none of the keys, or are too old; Unread hold no event otherwise, as where only one end
	// encrypts, or has another serializer.
	Foreign, Unread int
}

// Waiting tries to read what waits, with the keys and the serializer of the configuration. Nothing is taken.
func (i *Inspector) Waiting(ctx context.Context) (WaitingReport, error) {
	var r WaitingReport
	crypter, err := wireformat.NewCrypter(i.config.SymmetricEncryptionKeys, 0)
	if err != nil {
		return r, err
	}
	codec := wireformat.Codec{
		Format: i.config.SerializerFormat, Crypter: crypter,
		PrefixLength: i.config.RandomPrefixLength, MaxMessage: i.config.MaxMessage,
	}
	_, oldest, err := i.inboxes(ctx)
	for _, message := range oldest {
		r.Messages++
		switch _, _, err := codec.Open([]byte(message), time.Now()); {
		case err == nil, errors.Is(err, wireformat.ErrTooLarge):
		case errors.Is(err, wireformat.ErrToken):
			r.Foreign++
		default:
			r.Unread++
		}
	}
	return r, err
}
