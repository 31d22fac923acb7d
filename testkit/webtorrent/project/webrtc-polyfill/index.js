// Stands for WebRTC, which is large to install and which no test here uses.

export function RTCPeerConnection() {}
export function RTCSessionDescription() {}
export function RTCIceCandidate() {}
