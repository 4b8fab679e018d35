package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// stamp is what a process had used when something was seen of it.
type stamp struct{ cpu, wall time.Duration }

func (s stamp) minus(t stamp) stamp { return stamp{s.cpu - t.cpu, s.wall - t.wall} }

// process is an emulator that runs, with its output and when that came. CPU
// time is read where the output is: a guest's marker costs no round trip.
type process struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	start time.Time

	mu    sync.Mutex
	out   bytes.Buffer
	parts []part // of out, in order
	from  int    // expect has seen what is before
	errs  bytes.Buffer

	news chan struct{}
	end  chan struct{} // closed when all output is here and the process gone
	err  error
}

type part struct {
	end int // in out
	at  stamp
}

// startProcess starts a program; stop must follow.
func startProcess(bin string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(bin, args...), news: make(chan struct{}, 1), end: make(chan struct{})}
	p.cmd.Stderr = &p.errs
	in, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	p.in = in
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.start = time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go p.read(out)
	return p, nil
}

func (p *process) read(out io.Reader) {
	buf := make([]byte, 64<<10)
	for {
		n, err := out.Read(buf)
		if n > 0 {
			at, ok := p.now()
			p.mu.Lock()
			if !ok && len(p.parts) > 0 { // it is gone: what it had used is what was seen last
				at.cpu = p.parts[len(p.parts)-1].at.cpu
			}
			p.out.Write(buf[:n])
			p.parts = append(p.parts, part{p.out.Len(), at})
			p.mu.Unlock()
			select {
			case p.news <- struct{}{}:
			default:
			}
		}
		if err != nil {
			break
		}
	}
	p.err = p.cmd.Wait()
	close(p.end)
}

// now is the process's CPU and wall time so far.
func (p *process) now() (stamp, bool) {
	cpu, err := processCPU(p.cmd.Process.Pid)
	return stamp{cpu, time.Since(p.start)}, err == nil
}

// find looks for text in what expect has not passed yet, and passes it.
func (p *process) find(text string) (at stamp, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := bytes.Index(p.out.Bytes()[p.from:], []byte(text))
	if i < 0 {
		return stamp{}, false
	}
	end := p.from + i + len(text)
	for _, x := range p.parts {
		if x.end >= end {
			at = x.at
			break
		}
	}
	p.from = end
	return at, true
}

// expect waits until the guest has written text.
func (p *process) expect(text string, limit time.Time) (stamp, error) {
	timeout := time.NewTimer(time.Until(limit))
	defer timeout.Stop()
	for {
		if at, ok := p.find(text); ok {
			return at, nil
		}
		select {
		case <-p.news:
		case <-p.end:
			if at, ok := p.find(text); ok {
				return at, nil
			}
			return stamp{}, fmt.Errorf("it ended (%v) before the guest wrote %q: %s", p.err, text, p.tail())
		case <-timeout.C:
			return stamp{}, fmt.Errorf("the guest did not write %q in time: %s", text, p.tail())
		}
	}
}

// line is the rest of the line behind what expect found.
func (p *process) line(limit time.Time) (string, error) {
	p.mu.Lock()
	from := p.from
	p.mu.Unlock()
	if _, err := p.expect("\n", limit); err != nil {
		return "", err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.TrimSpace(p.out.String()[from:p.from]), nil
}

// tail is the last of what it said, on one line.
func (p *process) tail() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.end: // only now is nobody writing to errs
		if e := strings.TrimSpace(p.errs.String()); e != "" {
			return strings.ReplaceAll(e, "\n", " | ")
		}
	default:
	}
	lines := strings.Split(strings.TrimSpace(p.out.String()), "\n")
	if len(lines) > 3 {
		lines = lines[len(lines)-3:]
	}
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.Join(lines, " | ")
}

// wait lets the process end by itself.
func (p *process) wait(limit time.Time) error {
	select {
	case <-p.end:
		var exit *exec.ExitError
		if p.err != nil && !errors.As(p.err, &exit) {
			return p.err
		}
		return nil
	case <-time.After(time.Until(limit)):
		return fmt.Errorf("it did not end: %s", p.tail())
	}
}

// stop ends it in any case.
func (p *process) stop() {
	p.in.Close()
	p.cmd.Process.Signal(os.Kill)
	<-p.end
}
