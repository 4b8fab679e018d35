// Package vm runs a machine: its state (running, paused, …), its lock, its
// clock, its event loop and its processors' goroutines.
//
// Who runs what: Run is the event loop. Timers, posted functions and requests
// (reset, power-off) are handled there, under the machine's lock. Each vCPU
// has a goroutine, which takes the lock for MMIO only. The exported methods
// may be called from any goroutine that does not hold the lock; code that
// runs under the lock (devices, posted functions) asks by Power and Post,
// which never wait.
package vm

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"rhea/internal/accel"
	"rhea/internal/dev"
	"rhea/internal/trace"
	"rhea/internal/vclock"
)

// Config is how a machine is run.
type Config struct {
	Log *trace.Log
	// NoReboot makes a reset end the run (-no-reboot).
	NoReboot bool
	// NoShutdown makes a power-off only stop the machine (-no-shutdown).
	NoShutdown bool
	// Panic is what follows when the guest has failed.
	Panic PanicAction
	// Crash is called when a goroutine of the machine's panics, before the
	// process dies (the terminal is put in order).
	Crash func()
}

// Resetter is a part that is reset with the machine: a board, a processor.
type Resetter interface{ Reset() }

// PanicAction is what follows when the guest says that it has failed.
type PanicAction uint8

// The actions.
const (
	PanicShutdown PanicAction = iota // as if it had switched off
	PanicExit                        // the run ends with exit status 1
	PanicPause                       // it is stopped until it is reset
	PanicIgnore
)

// Machine is a machine that runs.
type Machine struct {
	cfg   Config
	host  *vclock.Host
	clock *vclock.Queue

	mu   sync.Mutex // the machine's lock
	cond *sync.Cond // state, holds, parked or request have changed

	// What mu protects.
	state     State
	holds     int // > 0: something wants the processors parked for a while
	req       request
	done      bool
	code      int
	err       error
	vcpus     []*vcpu
	parts     []Resetter
	onState   []func(State)
	onPower   []func()
	closers   []io.Closer
	lastCause string

	sleeper *sleeper // the event loop's

	postMu sync.Mutex
	posted []func()
}

// request is what devices and vCPUs have asked for.
type request struct {
	reset, powerOff, powerDown, debug, exit, panicked bool
	code                                              int
	cause                                             string
	err                                               error
}

func (r *request) any() bool {
	return r.reset || r.powerOff || r.debug || r.exit || r.panicked || r.err != nil
}

// New returns a machine without parts, in the state Prelaunch.
func New(cfg Config) *Machine {
	m := &Machine{cfg: cfg, host: vclock.NewHost()}
	m.cond = sync.NewCond(&m.mu)
	m.clock = vclock.NewQueue(m.host.Now, func() { m.sleeper.earlier() })
	m.sleeper = newSleeper(m.clock)
	return m
}

// Env is what the machine's parts get.
func (m *Machine) Env() dev.Env {
	return dev.Env{Clock: m.clock, Log: m.cfg.Log, Power: power{m}, Post: m.Post}
}

// Locker is the machine's lock, for engines to hold around MMIO.
func (m *Machine) Locker() sync.Locker { return &m.mu }

// Do runs f under the lock, with the processors where they are.
func (m *Machine) Do(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

// Held runs f under the lock while all processors are parked: their state
// may be read and changed.
func (m *Machine) Held(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hold()
	defer m.release()
	f()
}

// Post has the event loop run f soon, under the lock. It never blocks.
func (m *Machine) Post(f func()) {
	m.postMu.Lock()
	m.posted = append(m.posted, f)
	m.postMu.Unlock()
	m.wake()
}

func (m *Machine) wake() { m.sleeper.wake() }

// Add adds a part to be reset, in the order of the calls. Parts that are
// dev.Settlers are settled after all have been reset.
func (m *Machine) Add(r Resetter) { m.parts = append(m.parts, r) }

// OnState has f called, under the lock, when the state has changed.
func (m *Machine) OnState(f func(State)) { m.onState = append(m.onState, f) }

// OnPowerDown has f called, under the lock, when the user presses the power
// button.
func (m *Machine) OnPowerDown(f func()) { m.onPower = append(m.onPower, f) }

// OnClose has c closed when the run ends, the last one first.
func (m *Machine) OnClose(c io.Closer) { m.closers = append(m.closers, c) }

// AddVCPU adds a processor. Run starts its goroutine.
func (m *Machine) AddVCPU(v accel.VCPU) {
	c := &vcpu{m: m, v: v, parked: true, wake: make(chan struct{}, 1)}
	if n, ok := v.(Notifier); ok {
		n.OnWake(c.signal)
		c.notified = true
	}
	m.vcpus = append(m.vcpus, c)
}

// State returns the state.
func (m *Machine) State() State {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state
}

// Cause says why the machine was last reset or switched off.
func (m *Machine) Cause() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lastCause
}

var errNeedsReset = errors.New("Resetting the Virtual Machine is required")

// Cont lets the processors run.
func (m *Machine) Cont() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.state.needsReset() {
		return errNeedsReset
	}
	m.setState(Running)
	return nil
}

// Stop stops the processors. They have stopped when it returns.
func (m *Machine) Stop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.state == Running {
		m.stopIn(Paused)
	}
}

// StopForIO stops the machine because of an error of the host's and returns
// when it goes on (true) or ends. It must be called neither under the lock nor
// on a processor's goroutine.
func (m *Machine) StopForIO() (again bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.state == Running {
		m.stopIn(IOError)
	}
	for m.state != Running && !m.done {
		m.cond.Wait()
	}
	return !m.done
}

// stopIn stops the processors; mu is held.
func (m *Machine) stopIn(s State) {
	m.hold()
	m.release()
	m.setState(s)
}

// Reset asks for a reset, like a machine's button. It is carried out soon.
func (m *Machine) Reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	power{m}.RequestReset("monitor")
}

// PowerDown presses the power button.
func (m *Machine) PowerDown() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.req.powerDown = true
	m.wake()
}

// Quit ends Run.
func (m *Machine) Quit(code int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	power{m}.RequestExit(code)
}

// setState changes the state; mu is held. Time runs while the machine does.
func (m *Machine) setState(s State) {
	if m.state == s {
		return
	}
	m.state = s
	if s == Running {
		m.host.Start()
	} else {
		m.host.Stop()
	}
	for _, f := range m.onState {
		f(s)
	}
	m.cond.Broadcast()
	m.wake()
}

// hold parks all processors; mu is held, but given up for a while. It must
// not be called on a processor's goroutine.
func (m *Machine) hold() {
	m.holds++
	for _, c := range m.vcpus {
		c.kick()
	}
	for _, c := range m.vcpus {
		for !c.parked {
			m.cond.Wait()
		}
	}
}

func (m *Machine) release() {
	m.holds--
	m.cond.Broadcast()
}

// mayRun reports whether processors are to run; mu is held. A request is
// carried out first: what asked for a reset sees no instruction more.
func (m *Machine) mayRun() bool {
	return m.state == Running && m.holds == 0 && !m.req.any() && !m.done
}

// power is dev.Power. Its methods are called under the lock.
type power struct{ m *Machine }

func (p power) ask(cause string) {
	p.m.req.cause = cause
	for _, c := range p.m.vcpus {
		c.kick()
	}
	p.m.wake()
}

// RequestReset implements dev.Power.
func (p power) RequestReset(reason string) {
	p.m.req.reset = true
	p.ask(reason)
}

// RequestPowerOff implements dev.Power.
func (p power) RequestPowerOff(reason string) {
	p.m.req.powerOff = true
	p.ask(reason)
}

// RequestExit implements dev.Power.
func (p power) RequestExit(code int) {
	if !p.m.req.exit {
		p.m.req.exit, p.m.req.code = true, code
	}
	p.ask("exit")
}

// GuestPanic says that the guest has failed. It is called under the lock, as
// dev.Power's methods are.
func (m *Machine) GuestPanic() {
	m.req.panicked = true
	power{m}.ask("guest-panic")
}

// Run is the event loop. It returns when the machine has ended, with the
// process's exit status. An error is a failure of ours or of the host.
func (m *Machine) Run() (code int, err error) {
	normal := false
	defer func() {
		if !normal && m.cfg.Crash != nil {
			m.cfg.Crash() // a panic is passing
		}
	}()
	var wg sync.WaitGroup
	for _, c := range m.vcpus {
		wg.Go(c.loop)
	}
	for {
		ticks, ended := m.turn()
		if ended {
			break
		}
		m.sleeper.sleep(ticks)
	}
	m.sleeper.close()
	m.mu.Lock()
	m.hold()
	m.release()
	m.setState(Shutdown)
	code, err = m.code, m.err
	closers := m.closers
	m.cond.Broadcast()
	m.mu.Unlock()
	wg.Wait()
	for i := len(closers) - 1; i >= 0; i-- {
		if cerr := closers[i].Close(); err == nil {
			err = cerr
		}
	}
	normal = true
	return code, err
}

// turn does what there is to do. It reports whether the clock runs.
func (m *Machine) turn() (ticks, ended bool) {
	m.postMu.Lock()
	posted := m.posted
	m.posted = nil
	m.postMu.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, f := range posted {
		f()
	}
	if m.state == Running {
		m.clock.Run()
	}
	m.serve()
	return m.state == Running, m.done
}

// serve carries out what was asked for; mu is held.
func (m *Machine) serve() {
	r := m.req
	if !r.any() && !r.powerDown {
		return
	}
	m.hold()
	r = m.req
	m.req = request{}
	defer m.release()
	if r.cause != "" {
		m.lastCause = r.cause
	}
	end := func(code int) { m.done, m.code = true, code }
	switch {
	case r.err != nil:
		m.err = r.err
		end(1)
	case r.exit:
		end(r.code)
	case r.panicked && m.cfg.Panic != PanicIgnore:
		switch {
		case m.cfg.Panic == PanicExit:
			end(1)
		case m.cfg.Panic == PanicPause || m.cfg.NoShutdown:
			m.setState(GuestPanicked)
		default:
			end(0)
		}
	case r.powerOff || r.reset && m.cfg.NoReboot:
		if m.cfg.NoShutdown {
			m.setState(Shutdown)
		} else {
			end(0)
		}
	case r.reset:
		m.reset()
	case r.debug:
		m.setState(Debug)
	}
	if r.powerDown && !m.done {
		for _, f := range m.onPower {
			f()
		}
	}
}

// reset resets all parts; mu is held and the processors are parked.
func (m *Machine) reset() {
	m.cfg.Log.Printf(trace.Reset, "machine reset: %s\n", m.lastCause)
	for _, p := range m.parts {
		p.Reset()
	}
	for _, p := range m.parts {
		if s, ok := p.(dev.Settler); ok {
			s.Settle()
		}
	}
	if m.state != Running {
		m.setState(Prelaunch)
	}
}

func (m *Machine) fail(format string, args ...any) {
	if m.req.err == nil {
		m.req.err = fmt.Errorf(format, args...)
	}
	m.wake()
}
