package system

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// reason is what the system says of a file, without the file's name, which
// the message has already.
func reason(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// checkImage looks at a disk image before the machine is built.
func checkImage(d *Drive) error {
	fail := func(format string, args ...any) error { return &optError{d.Option, fmt.Errorf(format, args...)} }
	if d.File == "" {
		return nil
	}
	mode := os.O_RDWR
	if d.ReadOnly || d.Snapshot {
		mode = os.O_RDONLY
	}
	f, err := os.OpenFile(d.File, mode, 0)
	switch {
	case errors.Is(err, fs.ErrPermission) && mode == os.O_RDWR:
		return fail("could not open '%s' for writing: %w (readonly=on or -snapshot opens it for reading)", d.File, reason(err))
	case err != nil:
		return fail("could not open '%s': %w", d.File, reason(err))
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return fail("could not open '%s': %w", d.File, reason(err))
	}
	if st.IsDir() {
		return fail("'%s' is a directory, not an image", d.File)
	}
	if !st.Mode().IsRegular() {
		return nil // a device
	}
	if st.Size() < 512 {
		if st.Size() == 0 {
			return fail("the image '%s' is empty", d.File)
		}
		return fail("the image '%s' has only %d bytes, less than a sector", d.File, st.Size())
	}
	if d.Format == "" {
		if _, err := probe(d.File); err != nil {
			return &optError{d.Option, err}
		}
	}
	return nil
}

// readFile reads a file that an option named.
func readFile(option, name string, limit int64) ([]byte, error) {
	f, r, err := openFile(option, name, limit)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, r.Size())
	if n, err := r.ReadAt(b, 0); n < len(b) {
		return nil, &optError{option, fmt.Errorf("could not read '%s': %w", name, reason(err))}
	}
	return b, nil
}

// openFile is readFile for what is to be read later; it is closed with the
// machine.
func (m *machine) openFile(option, name string, limit int64) (*io.SectionReader, error) {
	f, r, err := openFile(option, name, limit)
	if err == nil {
		m.closeLater(f)
	}
	return r, err
}

func openFile(option, name string, limit int64) (*os.File, *io.SectionReader, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, &optError{option, fmt.Errorf("could not open '%s': %w", name, reason(err))}
	}
	r, err := content(f, limit)
	if err != nil {
		f.Close()
		return nil, nil, &optError{option, err}
	}
	return f, r, nil
}

// content is what a file has. A pipe is read to its end here.
func content(f *os.File, limit int64) (*io.SectionReader, error) {
	name := f.Name()
	st, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("could not open '%s': %w", name, reason(err))
	}
	var from io.ReaderAt = f
	size := st.Size()
	switch {
	case st.IsDir():
		return nil, fmt.Errorf("'%s' is a directory", name)
	case !st.Mode().IsRegular():
		b, err := io.ReadAll(io.LimitReader(f, limit+1))
		if err != nil {
			return nil, fmt.Errorf("could not read '%s': %w", name, reason(err))
		}
		from, size = bytes.NewReader(b), int64(len(b))
	}
	switch {
	case size == 0:
		return nil, fmt.Errorf("the file '%s' is empty", name)
	case size > limit:
		return nil, fmt.Errorf("the file '%s' is too large: at most %d MiB can be", name, limit>>20)
	}
	return io.NewSectionReader(from, 0, size), nil
}

// checkKernel looks for the header of the Linux boot protocol
// (Documentation/arch/x86/boot.rst: "HdrS" at 202h, AA55h at 1FEh).
func checkKernel(name string, image io.ReaderAt) error {
	b := make([]byte, 0x260)
	if n, err := image.ReadAt(b, 0); n < len(b) && err != io.EOF {
		return fmt.Errorf("could not read '%s': %w", name, reason(err))
	} else if n < len(b) || string(b[0x202:0x206]) != "HdrS" || binary.LittleEndian.Uint16(b[0x1fe:]) != 0xaa55 {
		what := ""
		if bytes.HasPrefix(b, []byte("\x7fELF")) {
			what = " but an ELF file (a vmlinux?)"
		}
		return fmt.Errorf("'%s' is not a Linux bzImage%s", name, what)
	}
	return nil
}
