// Package vm is a machine's run state and its event loop: it owns the lock,
// the clock and the queue of what host goroutines hand in, runs the vCPUs and
// carries out resets, pauses and the end.
package vm

import (
	"fmt"
	"sync"
	"time"

	"rhea/internal/accel"
	"rhea/internal/dev"
	"rhea/internal/trace"
	"rhea/internal/vclock"
)

// Board is the machine's hardware but for the processors.
type Board interface {
	// Reset puts all parts in their power-on state, Settle drives their lines.
	Reset()
	Settle()
}

// Config is what a machine does when the guest ends it.
type Config struct {
	Log *trace.Log
	// NoReboot: a reset by the guest ends the machine.
	NoReboot bool
	// NoShutdown: a power-off by the guest pauses the machine.
	NoShutdown bool
	// Paused: the machine does not run before Cont.
	Paused bool
}

// Status is the run state, as "info status" prints it.
type Status string

// The run states.
const (
	Running       Status = "running"
	Paused        Status = "paused"
	Prelaunch     Status = "prelaunch"
	Shutdown      Status = "shutdown"
	InternalError Status = "internal-error"
)

// Machine runs vCPUs and devices.
type Machine struct {
	cfg Config

	// lock is held around everything that touches devices.
	lock  sync.Mutex
	host  *vclock.Host
	clock *vclock.Queue
	board Board
	cpus  []*cpu

	wake chan struct{}

	postMu sync.Mutex
	posted []func()

	// mu protects what follows; it is taken after lock, never before.
	mu       sync.Mutex
	change   *sync.Cond
	status   Status
	hold     int  // vCPUs stand still while > 0
	parked   int  // vCPUs that do
	quitting bool
	code     int
	err      error
	requests []func() // by devices, for the event loop, outside the lock
	watchers []func(Status)
}

type cpu struct {
	vcpu  accel.VCPU
	reset func()
}

// New returns a machine without hardware.
func New(cfg Config) *Machine {
	m := &Machine{cfg: cfg, host: vclock.NewHost(), wake: make(chan struct{}, 1), status: Prelaunch, hold: 1}
	m.change = sync.NewCond(&m.mu)
	m.clock = vclock.NewQueue(m.host.Now, m.nudge)
	return m
}

// Env is what the devices of the machine are made with.
func (m *Machine) Env() dev.Env {
	return dev.Env{Clock: m.clock, Log: m.cfg.Log, Power: power{m}, Post: m.Post}
}

// Lock is the machine's lock.
func (m *Machine) Lock() sync.Locker { return &m.lock }

// SetBoard gives the machine its hardware.
func (m *Machine) SetBoard(b Board) { m.board = b }

// AddCPU adds a processor; reset puts it in its power-on state.
func (m *Machine) AddCPU(v accel.VCPU, reset func()) { m.cpus = append(m.cpus, &cpu{v, reset}) }

func (m *Machine) nudge() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// Post has f run soon on the event loop, under the lock. It never blocks.
func (m *Machine) Post(f func()) {
	m.postMu.Lock()
	m.posted = append(m.posted, f)
	m.postMu.Unlock()
	m.nudge()
}

// Do runs f under the lock.
func (m *Machine) Do(f func()) {
	m.lock.Lock()
	defer m.lock.Unlock()
	f()
}

// OnStatus has f called, outside the lock, after each change of the run state.
func (m *Machine) OnStatus(f func(Status)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.watchers = append(m.watchers, f)
}

// Status returns the run state.
func (m *Machine) Status() Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.status
}

func (m *Machine) setStatus(s Status) {
	m.mu.Lock()
	changed := m.status != s
	m.status = s
	watchers := m.watchers
	m.mu.Unlock()
	if changed {
		for _, f := range watchers {
			f(s)
		}
	}
}

// request has f run on the event loop, without the lock, and stops the vCPUs
// until then: the guest does nothing more after, say, its reset.
func (m *Machine) request(f func()) {
	m.mu.Lock()
	m.hold++
	m.requests = append(m.requests, func() {
		f()
		m.release()
	})
	m.mu.Unlock()
	m.kick()
	m.nudge()
}

func (m *Machine) kick() {
	for _, c := range m.cpus {
		c.vcpu.Kick()
	}
}

// stopCPUs makes all vCPUs stand still and returns when they do. It must not
// be called with the lock held, nor by a vCPU.
func (m *Machine) stopCPUs() {
	m.mu.Lock()
	m.hold++
	m.mu.Unlock()
	m.kick()
	m.mu.Lock()
	for m.parked < len(m.cpus) && !m.quitting {
		m.change.Wait()
	}
	m.mu.Unlock()
}

// release ends one hold.
func (m *Machine) release() {
	m.mu.Lock()
	m.hold--
	m.mu.Unlock()
	m.change.Broadcast()
}

// Stop pauses the machine.
func (m *Machine) Stop() { m.pause(Paused) }

func (m *Machine) pause(s Status) {
	if m.Status() != Running {
		if m.Status() == Paused && s != Paused {
			m.setStatus(s)
		}
		return
	}
	m.stopCPUs()
	m.host.Stop()
	m.setStatus(s)
}

// Cont lets a paused machine run. It is an error after a power-off, until a
// reset.
func (m *Machine) Cont() error {
	switch s := m.Status(); s {
	case Running:
		return nil
	case Shutdown, InternalError:
		return fmt.Errorf("the machine is %s: reset it first", s)
	}
	m.host.Start()
	m.setStatus(Running)
	m.release()
	m.nudge()
	return nil
}

// Reset is the reset button.
func (m *Machine) Reset() {
	m.stopCPUs()
	m.Do(func() {
		m.board.Reset()
		for _, c := range m.cpus {
			c.reset()
		}
		m.board.Settle()
	})
	if s := m.Status(); s == Shutdown || s == InternalError {
		m.setStatus(Paused)
	}
	m.release()
}

// Quit ends Run with an exit code.
func (m *Machine) Quit(code int) {
	m.mu.Lock()
	if !m.quitting {
		m.quitting, m.code = true, code
	}
	m.mu.Unlock()
	m.kick()
	m.change.Broadcast()
	m.nudge()
}

func (m *Machine) fail(err error) {
	m.mu.Lock()
	if m.err == nil {
		m.err = err
	}
	m.mu.Unlock()
	m.Quit(1)
}

// Run resets the machine and runs it until it ends. It returns the exit code.
func (m *Machine) Run() (code int, err error) {
	m.Do(func() {
		m.board.Reset()
		for _, c := range m.cpus {
			c.reset()
		}
		m.board.Settle()
	})
	var done sync.WaitGroup
	for _, c := range m.cpus {
		done.Go(func() { m.runCPU(c) })
	}
	if !m.cfg.Paused {
		if err := m.Cont(); err != nil {
			return 1, err
		}
	}
	m.loop()
	done.Wait()
	m.host.Stop()
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.code, m.err
}

// loop runs timers, posted functions and requests until the end.
func (m *Machine) loop() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		m.runPosted()
		m.mu.Lock()
		requests := m.requests
		m.requests = nil
		quitting := m.quitting
		m.mu.Unlock()
		if quitting {
			return
		}
		for _, f := range requests {
			f()
		}
		if at, set := m.clock.Next(); set && m.Status() == Running {
			timer.Reset(time.Duration(at - m.clock.Now()))
		} else {
			timer.Reset(time.Hour)
		}
		select {
		case <-m.wake:
		case <-timer.C:
		}
	}
}

func (m *Machine) runPosted() {
	m.lock.Lock()
	defer m.lock.Unlock()
	for {
		m.postMu.Lock()
		posted := m.posted
		m.posted = nil
		m.postMu.Unlock()
		m.clock.Run()
		if len(posted) == 0 {
			return
		}
		for _, f := range posted {
			f()
		}
	}
}

// runCPU is a vCPU's goroutine.
func (m *Machine) runCPU(c *cpu) {
	for {
		m.mu.Lock()
		m.parked++
		m.change.Broadcast()
		for m.hold > 0 && !m.quitting {
			m.change.Wait()
		}
		m.parked--
		quitting := m.quitting
		m.mu.Unlock()
		if quitting {
			return
		}
		exit, err := c.vcpu.Run(0)
		switch {
		case err != nil:
			m.fail(err)
			return
		case exit == accel.Shutdown:
			m.guestReset("triple fault")
		case exit == accel.Debug:
			m.request(func() { m.pause(Paused) })
		}
	}
}

// guestReset resets the machine, or ends it under -no-reboot.
func (m *Machine) guestReset(reason string) {
	m.cfg.Log.Printf(trace.Reset, "reset: %s\n", reason)
	m.request(func() {
		if m.cfg.NoReboot {
			m.powerOff()
			return
		}
		m.Reset()
	})
}

func (m *Machine) powerOff() {
	if m.cfg.NoShutdown {
		m.pause(Shutdown)
		return
	}
	m.Quit(0)
}

// power is the devices' view of the machine's switches.
type power struct{ m *Machine }

func (p power) RequestReset(reason string) { p.m.guestReset(reason) }

func (p power) RequestPowerOff(reason string) {
	p.m.cfg.Log.Printf(trace.Reset, "power off: %s\n", reason)
	p.m.request(p.m.powerOff)
}

func (p power) RequestExit(code int) { p.m.Quit(code) }
