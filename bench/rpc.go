package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// Frames of HTTP/2 (RFC 9113, section 6).
const (
	frameHead = 9 // bytes

	frameData         = 0
	frameHeaders      = 1
	frameReset        = 3
	frameSettings     = 4
	framePing         = 6
	frameGoAway       = 7
	frameWindowUpdate = 8

	flagEndStream  = 1
	flagAck        = 1
	flagEndHeaders = 4

	settingWindow = 4
	largeWindow   = 1 << 30
)

// errReset says that the server gave a call up.
var errReset = errors.New("the call was reset")

// rpc is what a connection knows when it speaks gRPC: one call at a time, each the same request in a stream of its own.
// What the server says in headers is not decoded. The message of the answer is what counts, and a call that failed has
// none.
type rpc struct {
	call     []byte // both frames; the number of the stream is set before they are sent
	stream   uint32
	received int // bytes of data that the server does not know yet that they were read
}

// greet begins HTTP/2 and prepares the call.
func (c *connection) greet(host string, q question) error {
	var block []byte
	for _, header := range append([][2]string{
		{":method", "POST"},
		{":scheme", "http"},
		{":path", q.path},
		{":authority", host},
		{"content-type", "application/grpc"},
		{"te", "trailers"},
	}, q.metadata...) {
		block = append(block, 0) // a literal that nobody remembers (RFC 7541, section 6.2.2)
		block = hpackText(hpackText(block, header[0]), header[1])
	}
	c.rpc = &rpc{stream: 1}
	message := append([]byte{0, 0, 0, 0, 0}, q.body(0, 0)...)
	binary.BigEndian.PutUint32(message[1:], uint32(len(message)-5))
	c.rpc.call = appendFrame(nil, frameHeaders, flagEndHeaders, 1, block)
	c.rpc.call = appendFrame(c.rpc.call, frameData, flagEndStream, 1, message)

	window := binary.BigEndian.AppendUint32([]byte{0, settingWindow}, largeWindow)
	hello := appendFrame([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frameSettings, 0, 0, window)
	_, err := c.Write(appendFrame(hello, frameWindowUpdate, 0, 0, window[2:]))
	return err
}

// hpackText appends a text of fewer than 127 + 2^14 bytes, without Huffman's code.
func hpackText(block []byte, text string) []byte {
	if len(text) < 127 {
		return append(append(block, byte(len(text))), text...)
	}
	rest := len(text) - 127
	block = append(block, 127)
	if rest >= 128 {
		block = append(block, byte(rest&127|128))
		rest >>= 7
	}
	return append(append(block, byte(rest)), text...)
}

func appendFrame(to []byte, kind, flags byte, stream uint32, payload []byte) []byte {
	to = append(to, byte(len(payload)>>16), byte(len(payload)>>8), byte(len(payload)), kind, flags)
	return append(binary.BigEndian.AppendUint32(to, stream), payload...)
}

// call calls once and judges the answer.
func (c *connection) call(q question) error {
	r := c.rpc
	headers := int(r.call[0])<<16 | int(r.call[1])<<8 | int(r.call[2])
	binary.BigEndian.PutUint32(r.call[5:], r.stream)
	binary.BigEndian.PutUint32(r.call[frameHead+headers+5:], r.stream)
	if _, err := c.Write(r.call); err != nil {
		return err
	}
	c.body = c.body[:0]
	for {
		isLast, err := c.frame()
		if err != nil {
			return err
		}
		if isLast {
			break
		}
	}
	r.stream += 2
	c.sent++
	if !bytes.Contains(c.body, []byte(q.want)) {
		return fmt.Errorf("%s answered without %q: %q", q.path, q.want, c.body)
	}
	return nil
}

// frame reads one frame, and says whether it ends the stream.
func (c *connection) frame() (isLast bool, err error) {
	for c.to-c.from < frameHead {
		if err := c.fill(); err != nil {
			return false, err
		}
	}
	length := int(c.in[c.from])<<16 | int(c.in[c.from+1])<<8 | int(c.in[c.from+2])
	for c.to-c.from < frameHead+length {
		if err := c.fill(); err != nil {
			return false, err
		}
	}
	kind, flags := c.in[c.from+3], c.in[c.from+4]
	payload := c.in[c.from+frameHead : c.from+frameHead+length]
	c.from += frameHead + length
	switch kind {
	case frameData:
		c.body = append(c.body, payload...)
		if c.rpc.received += length; c.rpc.received > largeWindow/2 {
			_, err = c.Write(appendFrame(nil, frameWindowUpdate, 0, 0, binary.BigEndian.AppendUint32(nil, uint32(c.rpc.received))))
			c.rpc.received = 0
		}
		return flags&flagEndStream != 0, err
	case frameHeaders:
		return flags&flagEndStream != 0, nil
	case frameSettings, framePing:
		if flags&flagAck == 0 {
			if kind == frameSettings {
				payload = nil
			}
			_, err = c.Write(appendFrame(nil, kind, flagAck, 0, payload))
		}
		return false, err
	case frameReset, frameGoAway:
		return false, errReset
	}
	return false, nil
}

// Protocol Buffers, as much of them as a request of Envoy needs.

// field appends a field of bytes: a text or a message.
func field(to []byte, number int, value []byte) []byte {
	to = binary.AppendUvarint(to, uint64(number)<<3|2)
	return append(binary.AppendUvarint(to, uint64(len(value))), value...)
}

// checkRequest is an envoy.service.auth.v3.CheckRequest about a GET with these headers.
func checkRequest(host, path string, headers [][2]string) []byte {
	http := field(field(nil, 1, []byte("1")), 2, []byte("GET"))
	for _, h := range headers {
		http = field(http, 3, field(field(nil, 1, []byte(h[0])), 2, []byte(h[1])))
	}
	http = field(field(field(http, 4, []byte(path)), 5, []byte(host)), 6, []byte("http"))
	return field(nil, 1, field(nil, 4, field(nil, 2, http)))
}
