"""A network that misbehaves: the proxy of samad.py with weather.

    path.weather.delay_s       each piece waits so long
    path.weather.rate          bytes a second at most; 0: no limit
    path.weather.hold          "up" or "down": nothing passes that way, and nobody is told; "" none
    path.weather.corrupt       the next so many pieces have one bit flipped
    path.weather.repeat        the next so many pieces come twice
    path.weather.drop          the next so many pieces are left out
    path.cut(), path.heal()    as in samad.py: connections end, none can be made

Damaged streams are still streams: what passes is for the channel to refuse."""
import os
import random
import socket
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from samad import Proxy  # noqa: E402

PIECE = 16384


class Weather:
    def __init__(self):
        self.calm()

    def calm(self):
        self.delay_s, self.rate, self.hold = 0.0, 0, ""
        self.corrupt = self.repeat = self.drop = 0


class RoughProxy(Proxy):
    def __init__(self, target_port, seed=0):
        self.weather = Weather()
        self.random = random.Random(seed)
        super().__init__(target_port)

    def _pump(self, source, sink, to_target):
        try:
            while True:
                data = source.recv(PIECE)
                if not data:
                    break
                for piece in self._spoil(data, "up" if to_target else "down"):
                    sink.sendall(piece)
                    self.forwarded += len(piece)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _spoil(self, data, way):
        weather = self.weather
        while weather.hold == way and self.running and self.open:
            time.sleep(0.02)
        if weather.delay_s:
            time.sleep(weather.delay_s)
        if weather.rate:
            time.sleep(len(data) / weather.rate)
        if weather.drop > 0:
            weather.drop -= 1
            return []
        if weather.corrupt > 0:
            weather.corrupt -= 1
            damaged = bytearray(data)
            damaged[self.random.randrange(len(damaged))] ^= 1 << self.random.randrange(8)
            return [bytes(damaged)]
        if weather.repeat > 0:
            weather.repeat -= 1
            return [data, data]
        return [data]
