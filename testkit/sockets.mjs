// What the scripts do to sockets.

/**
 * Resets a connection. Node keeps the handle of a socket for ever that is reset behind its end, so
 * such a one is closed.
 *
 * @param {import('node:net').Socket} socket
 */
export function reset(socket) {
  if (socket.writableEnded) socket.destroy()
  else socket.resetAndDestroy()
}
