package hmp

import (
	"bufio"
	"fmt"
	"image/png"
	"io"
	"os"

	"rhea/internal/display"
)

// screendump writes the screen's picture to a file.
func (c *call) screendump() error {
	if c.m.c.Screen == nil {
		return errAbsent
	}
	write := WritePPM
	if c.args.Has("-f") {
		switch f := c.args.Text("-f"); f {
		case "ppm":
		case "png":
			write = WritePNG
		default:
			return fmt.Errorf("invalid parameter value: %s (ppm and png are supported)", printable(f))
		}
	}
	if c.args.Has("device") || c.args.Has("head") && c.args.Number("head") != 0 {
		return fmt.Errorf("there is one screen only")
	}
	s := c.m.c.Screen.Snapshot()
	file, err := create(c.args.Text("filename"))
	if err != nil {
		return err
	}
	b := bufio.NewWriterSize(file, 1<<16)
	err = write(b, s)
	if err == nil {
		err = b.Flush()
	}
	if cerr := file.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		os.Remove(file.Name())
	}
	return err
}

// WritePPM writes a picture as a binary portable pixmap (P6).
func WritePPM(w io.Writer, s *display.Surface) error {
	if _, err := fmt.Fprintf(w, "P6\n%d %d\n255\n", s.Width, s.Height); err != nil {
		return err
	}
	line := make([]byte, 0, 3*s.Width)
	for y := range s.Height {
		line = line[:0]
		for _, p := range s.Pix[y*s.Stride : y*s.Stride+s.Width] {
			line = append(line, byte(p>>16), byte(p>>8), byte(p))
		}
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
	return nil
}

// WritePNG writes a picture as PNG.
func WritePNG(w io.Writer, s *display.Surface) error {
	if s.Width <= 0 || s.Height <= 0 {
		return fmt.Errorf("the screen is off")
	}
	e := png.Encoder{CompressionLevel: png.BestSpeed}
	return e.Encode(w, s.Image())
}
