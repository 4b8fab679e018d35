package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"
)

// What a screen costs, with a VNC viewer that takes all it can get.
const (
	screenRate = "full screens shown by VNC (mode 13h, raw), a second"
	screenCPU  = "CPU of that, ms a screen"
	screenIdle = "CPU of an idle graphical guest with a VNC viewer, % of a core"
)

// screenSector is a boot sector in mode 13h. With changes it fills the screen
// with another colour a hundred times a second, otherwise it halts.
func screenSector(changes bool) []byte {
	code := []byte{0xb8, 0x13, 0x00, 0xcd, 0x10, 0xb8, 0x00, 0xa0, 0x8e, 0xc0} // mode 13h; es = a000h
	if changes {
		code = append(code, 0xb0, 0x36, 0xe6, 0x43, 0xb0, 0x9c, 0xe6, 0x40, 0xb0, 0x2e, 0xe6, 0x40, // timer 0: 1193182 / 11932 Hz
			0xf4, 0xfe, 0xc3, 0x88, 0xd8, 0x88, 0xdc, 0x31, 0xff, 0xb9, 0x00, 0x7d, 0xf3, 0xab, 0xeb, 0xf0) // hlt; inc bl; mov al, bl; mov ah, bl; xor di, di; mov cx, 32000; rep stosw; jmp
	} else {
		code = append(code, 0xf4, 0xeb, 0xfd)
	}
	sector := make([]byte, 1<<20)
	copy(sector, code)
	sector[510], sector[511] = 0x55, 0xaa
	return sector
}

func runScreen(b *bench, e emulator) (map[string]outcome, error) {
	for _, changes := range []bool{true, false} {
		if err := b.screen(e, changes); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func (b *bench) screen(e emulator, changes bool) error {
	image, socket := filepath.Join(b.dir, "screen.img"), filepath.Join(b.dir, "vnc.sock")
	defer os.Remove(image)
	defer os.Remove(socket)
	if err := os.WriteFile(image, screenSector(changes), 0o666); err != nil {
		return err
	}
	p, err := b.start(e, "-cpu", b.cpu, "-m", "16", "-drive", "file="+image+",format=raw,if=ide,index=0", "-vnc", "unix:"+socket, "-serial", "none", "-monitor", "none", "-net", "none")
	if err != nil {
		return err
	}
	defer p.stop()
	var c net.Conn
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if c, err = net.Dial("unix", socket); err == nil {
			break
		} else if time.Now().After(end) {
			return err
		}
	}
	defer c.Close()
	v := viewer{Conn: c}
	if err := v.hello(); err != nil {
		return fmt.Errorf("vnc: %w", err)
	}
	v.until(time.Now().Add(8 * time.Second)) // the BIOS has its time
	from, ok := p.now()
	n, err := v.until(time.Now().Add(5 * time.Second))
	to, ok2 := p.now()
	switch {
	case err != nil && !errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("vnc: %w", err)
	case !ok || !ok2:
		return fmt.Errorf("it ended: %s", p.tail())
	}
	cpu := float64(to.cpu - from.cpu)
	if !changes {
		b.note(screenIdle, e, 100*cpu/float64(to.wall-from.wall))
		return nil
	}
	if n < 10 {
		return fmt.Errorf("only %d screens were shown", n)
	}
	b.note(screenRate, e, float64(n)/(to.wall-from.wall).Seconds())
	b.note(screenCPU, e, cpu/1e6/float64(n))
	return nil
}

// viewer is a client of RFC 6143 that takes raw pixels and looks at none.
type viewer struct {
	net.Conn
	w, h uint16
	// pending: an update was asked for and has not come.
	pending bool
}

func (v *viewer) hello() error {
	v.SetDeadline(time.Now().Add(10 * time.Second))
	var b [256]byte
	for _, step := range []struct {
		send string
		take int
	}{{"", 12}, {"RFB 003.008\n", 2}, {"\x01", 4}, {"\x01", 24}} {
		if _, err := io.WriteString(v, step.send); err != nil {
			return err
		}
		if _, err := io.ReadFull(v, b[:step.take]); err != nil {
			return err
		}
	}
	v.w, v.h = binary.BigEndian.Uint16(b[:]), binary.BigEndian.Uint16(b[2:])
	if _, err := io.CopyN(io.Discard, v, int64(binary.BigEndian.Uint32(b[20:]))); err != nil {
		return err
	}
	_, err := v.Write([]byte{2, 0, 0, 2, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0x21}) // raw, and DesktopSize
	return err
}

// until takes updates until then and returns how many were of the whole
// screen.
func (v *viewer) until(end time.Time) (full int, err error) {
	v.SetDeadline(end)
	for {
		if !v.pending {
			ask := []byte{3, 1, 0, 0, 0, 0}
			ask = binary.BigEndian.AppendUint16(ask, v.w)
			if _, err := v.Write(binary.BigEndian.AppendUint16(ask, v.h)); err != nil {
				return full, err
			}
			v.pending = true
		}
		var b [12]byte
		if _, err := io.ReadFull(v, b[:4]); err != nil {
			return full, err
		}
		v.pending = false
		v.SetDeadline(end.Add(10 * time.Second)) // an update is taken to its end
		pixels := 0
		for range binary.BigEndian.Uint16(b[2:]) {
			if _, err := io.ReadFull(v, b[:12]); err != nil {
				return full, err
			}
			w, h := binary.BigEndian.Uint16(b[4:]), binary.BigEndian.Uint16(b[6:])
			if int32(binary.BigEndian.Uint32(b[8:])) == -223 {
				v.w, v.h = w, h
				continue
			}
			if _, err := io.CopyN(io.Discard, v, 4*int64(w)*int64(h)); err != nil {
				return full, err
			}
			pixels += int(w) * int(h)
		}
		if pixels >= int(v.w)*int(v.h) {
			full++
		}
		if time.Now().After(end) {
			return full, nil
		}
		v.SetDeadline(end)
	}
}
