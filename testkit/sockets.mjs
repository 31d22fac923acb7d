// Resets connections for the scripts.

/**
 * Resets a connection. If a socket is reset after `end()`, Node keeps its handle forever, so such a
 * socket is destroyed instead.
 *
 * @param {import('node:net').Socket} socket
 */
export function reset(socket) {
  if (socket.writableEnded) socket.destroy()
  else socket.resetAndDestroy()
}
