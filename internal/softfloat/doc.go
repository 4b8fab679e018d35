// Package softfloat is IEEE 754 arithmetic in software.
package softfloat
