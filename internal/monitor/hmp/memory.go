package hmp

import (
	"fmt"
	"os"
)

// maxSave bounds memsave, pmemsave and sum, in bytes.
const maxSave = 64 << 30

// chunks hands f the memory at addr in pieces. Each is read under the lock.
func (c *call) chunks(virtual bool, f func([]byte) error) error {
	cpu := c.m.defaultCPU()
	if c.m.c.Memory == nil || virtual && cpu == nil {
		return errAbsent
	}
	addr, size := uint64(c.args.Number("addr")), c.args.Number("size")
	if size < 0 || size > maxSave {
		return fmt.Errorf("a size of %d is not possible: at most %d", size, int64(maxSave))
	}
	v := view{c: c, mask: ^uint64(0)}
	if virtual {
		v.cpu, v.mask = cpu, c.m.addressMask()
	}
	buf := make([]byte, min(size, 64<<10))
	for left := size; left > 0; {
		if c.interrupted() {
			return fmt.Errorf("interrupted")
		}
		p := buf[:min(left, int64(len(buf)))]
		ok := true
		if virtual {
			c.within(held, func() { c.inspect(cpu, func() { ok = v.read(addr, p) }) })
		} else {
			c.within(locked, func() { c.m.c.Memory.ReadBytes(addr, p) })
		}
		if !ok {
			return fmt.Errorf("Invalid addr 0x%016x/size %d specified", c.args.Number("addr"), size)
		}
		if err := f(p); err != nil {
			return err
		}
		addr, left = addr+uint64(len(p)), left-int64(len(p))
	}
	return nil
}

func memsave(c *call) error  { return c.save(true) }
func pmemsave(c *call) error { return c.save(false) }

func (c *call) save(virtual bool) error {
	if c.m.c.Memory == nil {
		return errAbsent
	}
	file, err := create(c.args.Text("filename"))
	if err != nil {
		return err
	}
	err = c.chunks(virtual, func(p []byte) error {
		_, err := file.Write(p)
		return err
	})
	if cerr := file.Close(); err == nil {
		err = cerr
	}
	return err
}

// create opens a file that the user named for writing.
func create(name string) (*os.File, error) {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if pe, ok := err.(*os.PathError); ok {
		return nil, fmt.Errorf("failed to open file '%s': %w", printable(name), pe.Err)
	}
	return file, err
}

// sum is the 16-bit checksum of BSD's sum(1).
func sum(c *call) error {
	var s uint16
	err := c.chunks(false, func(p []byte) error {
		for _, b := range p {
			s = s>>1 | s<<15
			s += uint16(b)
		}
		return nil
	})
	if err == nil {
		c.printf("%05d\n", s)
	}
	return err
}

func gva2gpa(c *call) error {
	cpu := c.m.defaultCPU()
	if cpu == nil {
		return errAbsent
	}
	c.inspect(cpu, func() {
		if pa, ok := cpu.Probe(uint64(c.args.Number("addr")) & c.m.addressMask()); ok {
			c.printf("gpa: 0x%x\n", pa)
		} else {
			c.printf("Unmapped\n")
		}
	})
	return nil
}
