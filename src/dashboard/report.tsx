/** A scenario's report: the dashboard's views over the recording in this file. */
import { createRoot } from "react-dom/client";

const page = document.getElementById("page");
if (page !== null) createRoot(page).render(<h1>Cumulo</h1>);
