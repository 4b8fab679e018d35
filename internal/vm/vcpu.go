package vm

import (
	"time"

	"rhea/internal/accel"
)

// Notifier is a VCPU that returns Halted and calls f when there may be
// something for it to do again. A VCPU that waits by itself needs none of it;
// one that does neither is asked again every millisecond.
type Notifier interface{ OnWake(f func()) }

// vcpu is a processor's goroutine.
type vcpu struct {
	m        *Machine
	v        accel.VCPU
	wake     chan struct{}
	notified bool
	parked   bool // not in Run; m.mu protects it
}

func (c *vcpu) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *vcpu) kick() {
	c.v.Kick()
	c.signal()
}

// loop runs the processor whenever the machine runs. An engine that wants one
// thread locks it while it executes, and not for longer: whoever wakes a halted
// processor can then go on as it.
func (c *vcpu) loop() {
	m := c.m
	normal := false
	defer func() {
		if !normal && m.cfg.Crash != nil {
			m.cfg.Crash()
		}
	}()
	m.mu.Lock()
	defer m.mu.Unlock()
	for {
		for !m.mayRun() {
			if !c.parked {
				c.parked = true
				m.cond.Broadcast()
			}
			if m.done {
				normal = true
				return
			}
			m.cond.Wait()
		}
		c.parked = false
		m.mu.Unlock()
		exit, err := c.v.Run(0)
		if err == nil && exit == accel.Halted {
			c.wait()
		}
		m.mu.Lock()
		if err != nil {
			m.fail("%w", err)
			continue
		}
		switch exit {
		case accel.Shutdown:
			power{m}.RequestReset("triple fault")
		case accel.Debug:
			m.req.debug = true
			m.wake()
		}
	}
}

// wait returns when there may be something to do.
func (c *vcpu) wait() {
	if c.notified {
		<-c.wake
		return
	}
	t := time.NewTimer(time.Millisecond)
	defer t.Stop()
	select {
	case <-c.wake:
	case <-t.C:
	}
}
