// Stands for WebRTC, which is large to install and which no test here uses.

export const RTCPeerConnection = undefined
export const RTCSessionDescription = undefined
export const RTCIceCandidate = undefined
