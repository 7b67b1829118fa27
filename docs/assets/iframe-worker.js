// Pages opened as files (file://) may not start web workers, and the search runs in one. Here it runs in a hidden
// frame instead: the same script, the same messages.
(() => {
  if (location.protocol !== "file:") return

  class FrameWorker extends EventTarget {
    constructor(url) {
      super()
      this.waiting = []
      this.frame = document.createElement("iframe")
      this.frame.hidden = true
      const start = () => {
        document.body.append(this.frame)
        const inner = this.frame.contentWindow
        // What a worker calls to answer: in the frame it must not go to the frame itself.
        inner.postMessage = data => this.dispatchEvent(new MessageEvent("message", { data }))
        const script = this.frame.contentDocument.createElement("script")
        script.src = url
        script.onload = () => {
          this.ready = true
          this.waiting.splice(0).forEach(data => this.deliver(data))
        }
        script.onerror = () => this.dispatchEvent(new Event("error"))
        this.frame.contentDocument.body.append(script)
      }
      document.body ? start() : addEventListener("DOMContentLoaded", start)
    }

    postMessage(data) {
      this.ready ? this.deliver(data) : this.waiting.push(data)
    }

    deliver(data) {
      const inner = this.frame.contentWindow
      inner.dispatchEvent(new inner.MessageEvent("message", { data }))
    }

    terminate() {
      this.frame.remove()
    }
  }

  window.Worker = FrameWorker
})()
