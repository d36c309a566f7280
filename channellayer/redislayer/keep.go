package redislayer

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/belleville/belleville/channellayer"
)

// keep looks after a session: it tells that the node is alive, sends canaries, renews memberships and sweeps up after
// dead nodes. It returns what is wrong with the session.
func (s *shard) keep(ctx context.Context) error {
	config := s.layer.config
	interval := min(config.Heartbeat, config.GroupExpiry/6)
	renewed := time.Now()
	ticks := time.NewTicker(interval / fifths)
	defer ticks.Stop()
	for fifth := 0; ; fifth = (fifth + 1) % fifths {
		if s.canaries.due(fifth) && s.sendCanaries(ctx) {
			return errDeaf
		}
		select {
		case <-ticks.C:
		case <-s.forgot:
			return errForgot
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if fifth != fifths-1 {
			continue
		}
		dead, err := s.beat(ctx)
		switch {
		case err == errForgot:
			return err
		case err != nil:
			continue // the canaries will tell
		}
		s.sweep(ctx, dead)
		if time.Since(renewed) >= config.GroupExpiry/3 && s.registerAll(ctx) == nil {
			renewed = time.Now()
		}
	}
}

// beat tells the other nodes that this one is alive, and returns those that are not. It returns errForgot where the
// host did not know that this one was.
func (s *shard) beat(ctx context.Context) (dead []string, err error) {
	l := s.layer
	before := time.Now()
	answer, err := s.client.run(ctx, l.scripts.beat, []string{l.keys.nodes(), l.keys.notes(l.names.id)},
		[]string{l.names.id, seconds(l.config.DeadAfter), seconds(l.config.GroupExpiry)})
	if err != nil {
		return nil, err
	}
	parts, err := answer.ToArray()
	if err != nil || len(parts) != 3 {
		return nil, s.client.unavailable(errAnswer)
	}
	s.compareClocks(before, parts[1])
	if dead, err = parts[2].AsStrSlice(); err != nil {
		return nil, s.client.unavailable(errAnswer)
	}
	if known, err := parts[0].AsInt64(); err != nil || known == 0 {
		return nil, errForgot
	}
	return dead, nil
}

// tolerableSkew is how far a clock may be off before somebody is told: encryption refuses what is a minute off.
const tolerableSkew = 5 * time.Second

// compareClocks measures how far this machine's clock is ahead of Redis's.
func (s *shard) compareClocks(before time.Time, redisTime rueidis.RedisMessage) {
	theirs := float(redisTime)
	middle := before.Add(time.Since(before) / 2)
	skew := float64(middle.UnixMicro())/1e6 - theirs
	s.layer.metrics.skew.WithLabelValues(strconv.Itoa(s.client.index)).Set(skew)
	off := skew > tolerableSkew.Seconds() || skew < -tolerableSkew.Seconds()
	if off && !s.skewed {
		s.layer.config.Logger.Warn("channel layer: this machine's clock differs from that of a host; set both by NTP: "+
			"a minute off, encrypted messages are refused, and Django drops what it should keep",
			"host", s.client.host.String(), "seconds", skew)
	}
	s.skewed = off
}

// sendCanaries sends one through each lane, and reports whether too many have not come back. They go over a connection of
// their own, so that they go where those of other processes do; where there is none to be had, over the usual one. Those
// that may wait behind others in this process are not missed: it is busy, not deaf.
func (s *shard) sendCanaries(ctx context.Context) (deaf bool) {
	if s.canaries.waiting() && s.arrivals.busy() {
		return false
	}
	l := s.layer
	way, err := s.client.fresh()
	if err != nil {
		way = nil
	} else {
		defer way.Close()
	}
	numbers, missed, deaf := s.canaries.send()
	l.metrics.canariesMissed.Add(float64(missed))
	if deaf {
		return true
	}
	p := new(pushes)
	for lane, number := range numbers {
		serialized, err := l.codec.Encode(channellayer.Event{"type": canaryType, "n": number})
		if err != nil {
			return true
		}
		p.keys = append(p.keys, l.lanes[lane].key)
		p.messages = append(p.messages, l.seal(serialized.To(l.lanes[lane].name+canarySuffix)))
		p.capacities = append(p.capacities, strconv.Itoa(nodeCapacity))
	}
	_, _ = s.pushOver(ctx, way, p) // one that was not sent does not come back either
	return false
}

// canaryCame takes note of a canary that came out of a lane.
func (s *shard) canaryCame(lane int, e channellayer.Event) {
	lag, all, ok := s.canaries.back(lane, e["n"])
	if !ok || e.Type() != canaryType {
		return
	}
	s.layer.metrics.lag.WithLabelValues(strconv.Itoa(s.client.index), strconv.Itoa(lane)).Set(lag.Seconds())
	if all {
		s.ready()
	}
}

// sweep ends the memberships of dead nodes, as many as there are.
func (s *shard) sweep(ctx context.Context, dead []string) {
	l := s.layer
	for _, id := range dead {
		args := []string{id, seconds(l.config.DeadAfter), l.keys.groups(), nodePrefix + id + "."}
		for {
			answer, err := s.client.run(ctx, l.scripts.sweep, []string{l.keys.nodes(), l.keys.notes(id)}, args)
			if err != nil {
				return
			}
			n, err := answer.AsInt64()
			if err != nil || n <= 0 {
				break
			}
			l.metrics.swept.Add(float64(n))
		}
	}
}
