// What the theme leaves out for those who use a keyboard or a screen reader; it makes these elements while the page loads.
"use strict";

const LANDMARKS = ".md-code__nav";
const SCROLLS = ".md-typeset__scrollwrap, .md-typeset pre > code";

function mend() {
    for (const element of document.querySelectorAll(LANDMARKS)) element.setAttribute("role", "none");
    for (const cell of document.querySelectorAll("th:empty")) cell.replaceWith(document.createElement("td"));
    for (const element of document.querySelectorAll(SCROLLS)) {
        if (element.scrollWidth > element.clientWidth) element.tabIndex = 0;
    }
}

new MutationObserver(mend).observe(document.documentElement, { childList: true, subtree: true });
addEventListener("resize", mend);
mend();
